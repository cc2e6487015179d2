package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/** F32 weights. */
final class F32Rows extends WeightRows {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;

  @Override
  public void decode(MemorySegment source, long at, float[] target, int targetAt, int elements) {
    MemorySegment.copy(source, Tensor.FLOAT, at, target, targetAt, elements);
  }

  @Override
  int directRows() {
    return 4;
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
      out[outAt + r] = dot(weight, at + r * rowBytes, x.values(), xRow * in, in);
    }
  }

  private static float dot(MemorySegment w, long at, float[] x, int xAt, int count) {
    long step = 4L * LANES;
    FloatVector s0 = FloatVector.zero(FLOAT);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    int i = 0;
    for (; i + 4 * LANES <= count; i += 4 * LANES) {
      long b = at + 4L * i;
      s0 =
          FloatVector.fromMemorySegment(FLOAT, w, b, LE)
              .fma(FloatVector.fromArray(FLOAT, x, xAt + i), s0);
      s1 =
          FloatVector.fromMemorySegment(FLOAT, w, b + step, LE)
              .fma(FloatVector.fromArray(FLOAT, x, xAt + i + LANES), s1);
      s2 =
          FloatVector.fromMemorySegment(FLOAT, w, b + 2 * step, LE)
              .fma(FloatVector.fromArray(FLOAT, x, xAt + i + 2 * LANES), s2);
      s3 =
          FloatVector.fromMemorySegment(FLOAT, w, b + 3 * step, LE)
              .fma(FloatVector.fromArray(FLOAT, x, xAt + i + 3 * LANES), s3);
    }
    float sum = LaneSum.of(s0.add(s1).add(s2.add(s3)));
    for (; i < count; i++) {
      sum = Math.fma(w.get(Tensor.FLOAT, at + 4L * i), x[xAt + i], sum);
    }
    return sum;
  }
}
