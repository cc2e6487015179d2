package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.rows.SoftmaxRows;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** Softmax with vectors; sums of 4096 elements in f32 add up in float64. */
final class SimdSoftmax extends SoftmaxRows {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final int CHUNK_ELEMENTS = 4096;

  SimdSoftmax(Parallel workers) {
    super(workers);
  }

  @Override
  protected void softmax(MemorySegment x, long at, MemorySegment out, long outAt, int elements) {
    float max = max(x, at, elements);
    if (max == Float.NEGATIVE_INFINITY) {
      out.asSlice(outAt, 4L * elements).fill((byte) 0);
      return;
    }
    double sum = 0;
    for (int done = 0; done < elements; done += CHUNK_ELEMENTS) {
      int count = Math.min(CHUNK_ELEMENTS, elements - done);
      sum += powers(x, at + 4L * done, out, outAt + 4L * done, count, max);
    }
    scale(out, outAt, elements, (float) (1 / sum));
  }

  private static float max(MemorySegment x, long at, int elements) {
    FloatVector m = FloatVector.broadcast(FLOAT, Float.NEGATIVE_INFINITY);
    int i = 0;
    for (; i + LANES <= elements; i += LANES) {
      m = m.max(FloatVector.fromMemorySegment(FLOAT, x, at + 4L * i, LE));
    }
    float max = m.reduceLanes(VectorOperators.MAX);
    for (; i < elements; i++) {
      max = Math.max(max, x.get(Tensor.FLOAT, at + 4L * i));
    }
    return max;
  }

  private static float powers(
      MemorySegment x, long at, MemorySegment out, long outAt, int elements, float max) {
    FloatVector sums = FloatVector.zero(FLOAT);
    int i = 0;
    for (; i + LANES <= elements; i += LANES) {
      FloatVector v = FloatVector.fromMemorySegment(FLOAT, x, at + 4L * i, LE);
      FloatVector power = Exp2.upTo127(v.sub(max).mul(Exp2.LOG2_E));
      power.intoMemorySegment(out, outAt + 4L * i, LE);
      sums = sums.add(power);
    }
    float sum = LaneSum.of(sums);
    for (; i < elements; i++) {
      float power = (float) Math.exp(x.get(Tensor.FLOAT, at + 4L * i) - max);
      out.set(Tensor.FLOAT, outAt + 4L * i, power);
      sum += power;
    }
    return sum;
  }

  private static void scale(MemorySegment out, long outAt, int elements, float factor) {
    int i = 0;
    for (; i + LANES <= elements; i += LANES) {
      FloatVector v = FloatVector.fromMemorySegment(FLOAT, out, outAt + 4L * i, LE);
      v.mul(factor).intoMemorySegment(out, outAt + 4L * i, LE);
    }
    for (; i < elements; i++) {
      out.set(Tensor.FLOAT, outAt + 4L * i, out.get(Tensor.FLOAT, outAt + 4L * i) * factor);
    }
  }
}
