package io.attention4j.engine.spi;

import io.attention4j.engine.tensor.Tensor;

/**
 * The highest elements of rows, such as the candidates of sampling, so that a row of logits need
 * not leave the device; the spec is their number k, at least 1.
 */
public interface TopKKernel extends Kernel<Integer> {
  /**
   * Finds the k highest elements of each row of F32 [rows, size], contiguous, and waits for them:
   * the i-th highest of a row is {@code values[row * k + i]} and stands at {@code indices[row * k +
   * i]}. Equal elements, and -0 and 0, are in the order of their indices. NaN is higher than
   * infinity, so that the first value shows it.
   *
   * @param k 1 .. size
   */
  void run(Tensor x, int rows, int size, int k, int[] indices, float[] values);
}
