package io.attention4j.engine.spi;

import io.attention4j.engine.tensor.Tensor;

/**
 * The tokens of one sequence for a {@link LinearScanKernel}, all F32 and contiguous.
 *
 * @param q [&gt;= rows, queryHeads, keyDim]
 * @param k [&gt;= rows, stateHeads, keyDim]
 * @param v [&gt;= rows, stateHeads, valueDim]
 * @param decay log-decay g, at most 0: [&gt;= rows, stateHeads] or [&gt;= rows, stateHeads, keyDim]
 *     as the spec says, or null for NONE
 * @param beta write strength, [&gt;= rows, stateHeads], or null but for DELTA
 * @param read what the rank-one part recalls with, [&gt;= rows, stateHeads, keyDim], or null but
 *     for LOW_RANK
 * @param write where it puts what it recalled, like read, or null but for LOW_RANK
 */
public record LinearScanInputs(
    Tensor q, Tensor k, Tensor v, Tensor decay, Tensor beta, Tensor read, Tensor write) {
  /** Inputs of the writes ADD and DELTA. */
  public LinearScanInputs(Tensor q, Tensor k, Tensor v, Tensor decay, Tensor beta) {
    this(q, k, v, decay, beta, null, null);
  }
}
