package io.attention4j.engine.spi;

import io.attention4j.engine.tensor.Tensor;

/** Softmax over rows; the spec is the row length. */
public interface SoftmaxKernel extends Kernel<Integer> {
  /**
   * out = softmax(x) per row of F32 [rows, size], contiguous; out may be x. All -inf gives zeros.
   */
  void run(Tensor x, int rows, int size, Tensor out);
}
