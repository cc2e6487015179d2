package io.attention4j.engine.spi;

import io.attention4j.engine.tensor.Tensor;

/** Linear attention with decay and delta rule over one sequence; prefill and decode alike. */
public interface LinearScanKernel extends Kernel<LinearScanSpec> {
  /**
   * Runs {@code rows} tokens of a sequence on its state. Running a sequence in several calls gives
   * the same outputs as in one, up to rounding.
   *
   * @param firstRow row of the first token in every input and in out; the rows before are left
   *     alone
   * @param rows tokens; 0 does nothing
   * @param state F32 [stateHeads, keyDim, valueDim], contiguous: before the first token, after the
   *     last on return
   * @param out F32 [&gt;= firstRow + rows, queryHeads, valueDim], contiguous; overlaps no input
   * @throws IllegalArgumentException if a tensor does not fit the spec; names both
   */
  void run(
      LinearScanSpec spec, LinearScanInputs in, int firstRow, int rows, Tensor state, Tensor out);

  /** Runs the first {@code rows} rows. */
  default void run(LinearScanSpec spec, LinearScanInputs in, int rows, Tensor state, Tensor out) {
    run(spec, in, 0, rows, state, out);
  }
}
