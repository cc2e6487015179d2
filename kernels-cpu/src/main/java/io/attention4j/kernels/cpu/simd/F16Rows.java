package io.attention4j.kernels.cpu.simd;

import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** F16 weights. */
final class F16Rows extends WeightRows {
  @Override
  public void decode(MemorySegment source, long at, float[] target, int targetAt, int elements) {
    for (int i = 0; i < elements; i++) {
      target[targetAt + i] = Float.float16ToFloat(source.get(Tensor.SHORT, at + 2L * i));
    }
  }

  @Override
  int directRows() {
    return 1;
  }

  @Override
  void dots(
      MemorySegment weight,
      long at,
      long rowBytes,
      int rows,
      Activations x,
      int xRow,
      float[] out,
      int outAt,
      float[] scratch) {
    int in = x.inFeatures();
    for (int r = 0; r < rows; r++) {
      decode(weight, at + r * rowBytes, scratch, 0, in);
      out[outAt + r] = dot(scratch, 0, x.values(), xRow * in, in);
    }
  }
}
