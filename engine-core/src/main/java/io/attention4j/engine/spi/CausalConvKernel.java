package io.attention4j.engine.spi;

import io.attention4j.engine.tensor.Tensor;

/** Depthwise causal convolution that carries its last inputs from call to call. */
public interface CausalConvKernel extends Kernel<CausalConvSpec> {
  /**
   * out[t, c] = bias[c] + sum_i weight[c, i] x[t - (kernelSize - 1) + i, c], where rows before the
   * first come from the state.
   *
   * @param x F32 [&gt;= firstRow + rows, channels], contiguous
   * @param firstRow row of the sequence's first token in x and in out
   * @param rows tokens of one sequence
   * @param weight F32 [channels, kernelSize], contiguous; the last tap meets the current token
   * @param bias F32 [channels], or null for none
   * @param state F32 [channels, kernelSize - 1], contiguous, oldest input first, zeros at the start
   *     of a sequence; the last inputs on return. Null where kernelSize is 1
   * @param out F32 like x; overlaps no other tensor
   * @throws IllegalArgumentException if a tensor does not fit the spec; names both
   */
  void run(
      CausalConvSpec spec,
      Tensor x,
      int firstRow,
      int rows,
      Tensor weight,
      Tensor bias,
      Tensor state,
      Tensor out);

  /** Runs the first {@code rows} rows. */
  default void run(
      CausalConvSpec spec,
      Tensor x,
      int rows,
      Tensor weight,
      Tensor bias,
      Tensor state,
      Tensor out) {
    run(spec, x, 0, rows, weight, bias, state, out);
  }
}
