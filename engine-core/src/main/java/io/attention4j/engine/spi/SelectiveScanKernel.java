package io.attention4j.engine.spi;

import io.attention4j.engine.tensor.Tensor;

/** Selective state spaces over one sequence; prefill and decode alike. */
public interface SelectiveScanKernel extends Kernel<SelectiveScanSpec> {
  /**
   * Runs {@code rows} tokens of a sequence on its state. Running a sequence in several calls gives
   * the same outputs as in one, up to rounding.
   *
   * @param firstRow row of the first token in every input and in out; the rows before are left
   *     alone
   * @param rows tokens; 0 does nothing
   * @param state F32 [heads, stateDim, channels], contiguous: before the first token, after the
   *     last on return
   * @param out F32 [&gt;= firstRow + rows, heads, channels], contiguous; overlaps no input
   * @throws IllegalArgumentException if a tensor does not fit the spec; names both
   */
  void run(
      SelectiveScanSpec spec,
      SelectiveScanInputs in,
      int firstRow,
      int rows,
      Tensor state,
      Tensor out);
}
