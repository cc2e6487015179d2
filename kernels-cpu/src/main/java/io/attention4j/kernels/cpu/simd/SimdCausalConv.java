package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.kernels.cpu.recurrent.CausalConvRows;
import jdk.incubator.vector.FloatVector;

/** Convolution with a vector of channels at a time. */
final class SimdCausalConv extends CausalConvRows {
  SimdCausalConv(Parallel workers) {
    super(workers);
  }

  @Override
  protected void addProduct(float[] sum, float[] a, int aAt, float[] b, int bAt, int count) {
    int c = 0;
    for (; c + LANES <= count; c += LANES) {
      FloatVector.fromArray(FLOAT, a, aAt + c)
          .fma(FloatVector.fromArray(FLOAT, b, bAt + c), FloatVector.fromArray(FLOAT, sum, c))
          .intoArray(sum, c);
    }
    for (; c < count; c++) {
      sum[c] += a[aAt + c] * b[bAt + c];
    }
  }
}
