package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.rows.NormRows;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/** Normalisation with vectors; four f32 sums per lane keep the rounding of long rows small. */
final class SimdNorm extends NormRows {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final long STEP = 4L * LANES;

  SimdNorm(Parallel workers) {
    super(workers);
  }

  @Override
  protected float mean(MemorySegment x, long at, int size) {
    FloatVector s0 = FloatVector.zero(FLOAT);
    FloatVector s1 = s0;
    int i = 0;
    for (; i + 2 * LANES <= size; i += 2 * LANES) {
      s0 = s0.add(FloatVector.fromMemorySegment(FLOAT, x, at + 4L * i, LE));
      s1 = s1.add(FloatVector.fromMemorySegment(FLOAT, x, at + 4L * i + STEP, LE));
    }
    double sum = LaneSum.of(s0.add(s1));
    for (; i < size; i++) {
      sum += x.get(Tensor.FLOAT, at + 4L * i);
    }
    return (float) (sum / size);
  }

  @Override
  protected float meanSquare(MemorySegment x, long at, int size, float center) {
    FloatVector c = FloatVector.broadcast(FLOAT, center);
    FloatVector s0 = FloatVector.zero(FLOAT);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    int i = 0;
    for (; i + 4 * LANES <= size; i += 4 * LANES) {
      FloatVector v0 = FloatVector.fromMemorySegment(FLOAT, x, at + 4L * i, LE).sub(c);
      FloatVector v1 = FloatVector.fromMemorySegment(FLOAT, x, at + 4L * i + STEP, LE).sub(c);
      FloatVector v2 = FloatVector.fromMemorySegment(FLOAT, x, at + 4L * i + 2 * STEP, LE).sub(c);
      FloatVector v3 = FloatVector.fromMemorySegment(FLOAT, x, at + 4L * i + 3 * STEP, LE).sub(c);
      s0 = v0.fma(v0, s0);
      s1 = v1.fma(v1, s1);
      s2 = v2.fma(v2, s2);
      s3 = v3.fma(v3, s3);
    }
    double sum = LaneSum.of(s0.add(s1).add(s2.add(s3)));
    for (; i < size; i++) {
      double distance = x.get(Tensor.FLOAT, at + 4L * i) - center;
      sum += distance * distance;
    }
    return (float) (sum / size);
  }

  @Override
  protected void scale(
      MemorySegment x,
      long at,
      int size,
      float center,
      float inverse,
      MemorySegment weight,
      long weightAt,
      float weightOffset,
      MemorySegment bias,
      long biasAt,
      MemorySegment out,
      long outAt) {
    FloatVector c = FloatVector.broadcast(FLOAT, center);
    int i = 0;
    for (; i + LANES <= size; i += LANES) {
      FloatVector y = FloatVector.fromMemorySegment(FLOAT, x, at + 4L * i, LE).sub(c).mul(inverse);
      FloatVector w =
          weight == null
              ? FloatVector.broadcast(FLOAT, 1f)
              : FloatVector.fromMemorySegment(FLOAT, weight, weightAt + 4L * i, LE);
      y = y.mul(w.add(weightOffset));
      if (bias != null) {
        y = y.add(FloatVector.fromMemorySegment(FLOAT, bias, biasAt + 4L * i, LE));
      }
      y.intoMemorySegment(out, outAt + 4L * i, LE);
    }
    for (; i < size; i++) {
      float w = (weight == null ? 1 : weight.get(Tensor.FLOAT, weightAt + 4L * i)) + weightOffset;
      float b = bias == null ? 0 : bias.get(Tensor.FLOAT, biasAt + 4L * i);
      float y = (x.get(Tensor.FLOAT, at + 4L * i) - center) * inverse;
      out.set(Tensor.FLOAT, outAt + 4L * i, y * w + b);
    }
  }
}
