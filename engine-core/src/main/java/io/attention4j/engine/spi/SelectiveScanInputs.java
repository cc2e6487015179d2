package io.attention4j.engine.spi;

import io.attention4j.engine.tensor.Tensor;

/**
 * The tokens of one sequence for a {@link SelectiveScanKernel}, all F32 and contiguous.
 *
 * @param x [&gt;= rows, heads, channels]
 * @param decay like x: at least 0 for EXPONENTIAL, the factor of the state for FACTOR
 * @param write factor of x, like x; may be the tensor decay
 * @param b where x enters, [&gt;= rows, heads, stateDim], or null for ones
 * @param c what is read, like b, or null for ones
 * @param a at most 0, [heads, stateDim, channels], or null but for EXPONENTIAL
 * @param through [heads, channels], or null for none
 */
public record SelectiveScanInputs(
    Tensor x, Tensor decay, Tensor write, Tensor b, Tensor c, Tensor a, Tensor through) {}
