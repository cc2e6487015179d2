package io.attention4j.engine.spi;

import io.attention4j.engine.tensor.Tensor;

/**
 * The tokens of one sequence for an {@link OnlineMemoryKernel}, all F32 and contiguous.
 *
 * @param q what is asked, [&gt;= rows, heads, keyDim]
 * @param k [&gt;= rows, heads, keyDim]
 * @param v [&gt;= rows, heads, valueDim]
 * @param retention share of the past that stays, 0..1, [&gt;= rows, heads, gateWidth]
 * @param step size of the gradient's step, at least 0, like retention
 * @param gate [&gt;= rows, heads] where the rule has one, else null
 */
public record OnlineMemoryInputs(
    Tensor q, Tensor k, Tensor v, Tensor retention, Tensor step, Tensor gate) {}
