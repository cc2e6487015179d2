package io.attention4j.kernels.cpu.scalar;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.kernels.cpu.recurrent.CausalConvRows;

/** Convolution in plain loops. */
final class ScalarCausalConv extends CausalConvRows {
  ScalarCausalConv(Parallel workers) {
    super(workers);
  }

  @Override
  protected void addProduct(float[] sum, float[] a, int aAt, float[] b, int bAt, int count) {
    for (int c = 0; c < count; c++) {
      sum[c] += a[aAt + c] * b[bAt + c];
    }
  }
}
