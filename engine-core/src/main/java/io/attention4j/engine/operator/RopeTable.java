package io.attention4j.engine.operator;

import io.attention4j.engine.spi.RopeSpec;
import io.attention4j.engine.tensor.Tensor;

/**
 * Angles of the rows of a step, computed once and used by every layer with the same rope.
 *
 * @param spec which elements rotate
 * @param cos F32 [&gt;= rows, rotaryDim / 2]
 * @param sin F32 like cos
 */
public record RopeTable(RopeSpec spec, Tensor cos, Tensor sin) {}
