package io.attention4j.kernels.cpu.scalar;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.rows.NormRows;
import java.lang.foreign.MemorySegment;

/** Normalisation in plain loops, statistics in float64. */
final class ScalarNorm extends NormRows {
  ScalarNorm(Parallel workers) {
    super(workers);
  }

  @Override
  protected float mean(MemorySegment x, long at, int size) {
    double sum = 0;
    for (int i = 0; i < size; i++) {
      sum += x.get(Tensor.FLOAT, at + 4L * i);
    }
    return (float) (sum / size);
  }

  @Override
  protected float meanSquare(MemorySegment x, long at, int size, float center) {
    double sum = 0;
    for (int i = 0; i < size; i++) {
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
    for (int i = 0; i < size; i++) {
      float w = (weight == null ? 1 : weight.get(Tensor.FLOAT, weightAt + 4L * i)) + weightOffset;
      float b = bias == null ? 0 : bias.get(Tensor.FLOAT, biasAt + 4L * i);
      float y = (x.get(Tensor.FLOAT, at + 4L * i) - center) * inverse;
      out.set(Tensor.FLOAT, outAt + 4L * i, y * w + b);
    }
  }
}
