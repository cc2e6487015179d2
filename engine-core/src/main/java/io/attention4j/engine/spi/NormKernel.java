package io.attention4j.engine.spi;

import io.attention4j.engine.tensor.Tensor;

/** RMS and layer normalisation. */
public interface NormKernel extends Kernel<NormSpec> {
  /**
   * out = norm(x) * (weight + weightOffset) + bias, row by row.
   *
   * @param x F32 [&gt;= rows, size], contiguous
   * @param weight F32 [size], or null for ones
   * @param bias F32 [size], or null for none
   * @param out F32 like x; may be x itself
   */
  void run(NormSpec spec, Tensor x, int rows, Tensor weight, Tensor bias, Tensor out);
}
