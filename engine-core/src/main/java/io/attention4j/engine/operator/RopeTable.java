package io.attention4j.engine.operator;

import io.attention4j.engine.spi.RopeSpec;
import io.attention4j.engine.tensor.Tensor;

/**
 * Angles of the rows of a step, computed once and used by every layer with the same rope.
 *
 * @param spec which elements rotate
 * @param cos F32 [&gt;= rows, rotaryDim / 2]
 * @param sin F32 like cos
 * @param frequencies radians per position of each pair, for operators that rotate to positions
 *     other than a row's; not a copy
 * @param factor what cosines and sines are scaled by; 1 for most models
 */
public record RopeTable(
    RopeSpec spec, Tensor cos, Tensor sin, double[] frequencies, double factor) {}
