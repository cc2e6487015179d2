package io.attention4j.kernels.cpu.scalar;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.ActivationKernel.Function;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.recurrent.OnlineMemoryHeads;
import java.lang.foreign.MemorySegment;

/** Memories in plain loops. */
final class ScalarOnlineMemory extends OnlineMemoryHeads {
  ScalarOnlineMemory(Parallel workers) {
    super(workers);
  }

  private static float get(MemorySegment memory, long at, int i) {
    return memory.get(Tensor.FLOAT, at + 4L * i);
  }

  private static void set(MemorySegment memory, long at, int i, float value) {
    memory.set(Tensor.FLOAT, at + 4L * i, value);
  }

  @Override
  protected float largest(MemorySegment memory, long at, int count) {
    float largest = 0;
    for (int i = 0; i < count; i++) {
      largest = Math.max(largest, Math.abs(get(memory, at, i)));
    }
    return largest;
  }

  @Override
  protected double fourthPowers(MemorySegment memory, long at, float scale, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++) {
      double x = scale * get(memory, at, i);
      sum += x * x * x * x;
    }
    return sum;
  }

  @Override
  protected void scaled(
      MemorySegment x, long at, MemorySegment y, long yAt, float factor, int count) {
    for (int i = 0; i < count; i++) {
      set(y, yAt, i, factor * get(x, at, i));
    }
  }

  @Override
  protected void softmax(
      MemorySegment logits, long at, MemorySegment weights, long weightsAt, int count) {
    float max = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < count; i++) {
      max = Math.max(max, get(logits, at, i));
    }
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += Math.exp(get(logits, at, i) - max);
    }
    float logSum = (float) (max + Math.log(sum));
    for (int i = 0; i < count; i++) {
      float z = get(logits, at, i) - logSum;
      set(logits, at, i, z);
      set(weights, weightsAt, i, (float) Math.exp(z));
    }
  }

  @Override
  protected void tangent(
      MemorySegment z,
      long at,
      MemorySegment z0,
      long z0At,
      MemorySegment w0,
      long w0At,
      MemorySegment w,
      long wAt,
      int count) {
    double mean = 0;
    for (int i = 0; i < count; i++) {
      mean += get(w0, w0At, i) * (get(z, at, i) - get(z0, z0At, i));
    }
    float centre = (float) mean;
    for (int i = 0; i < count; i++) {
      float moved = get(z, at, i) - get(z0, z0At, i) - centre;
      set(w, wAt, i, get(w0, w0At, i) * (1 + moved));
    }
  }

  @Override
  protected void product(MemorySegment w, long at, float[] x, float[] y, int rows, int columns) {
    for (int r = 0; r < rows; r++) {
      float sum = 0;
      for (int c = 0; c < columns; c++) {
        sum += get(w, at + 4L * r * columns, c) * x[c];
      }
      y[r] = sum;
    }
  }

  @Override
  protected void addTransposed(
      MemorySegment w, long at, float[] x, float[] y, int rows, int columns) {
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        y[c] += x[r] * get(w, at + 4L * r * columns, c);
      }
    }
  }

  @Override
  protected void gelu(float[] x, float[] y, float[] slope, int count) {
    for (int i = 0; i < count; i++) {
      y[i] = ScalarActivation.value(Function.GELU, x[i]);
      slope[i] = ScalarActivation.geluSlope(x[i]);
    }
  }

  @Override
  protected void momentum(
      MemorySegment s,
      long sAt,
      MemorySegment w,
      long wAt,
      float[] x,
      float momentum,
      float factor,
      float retention,
      int count) {
    for (int i = 0; i < count; i++) {
      float moved = momentum * get(s, sAt, i) + factor * x[i];
      set(s, sAt, i, moved);
      set(w, wAt, i, retention * get(w, wAt, i) + moved);
    }
  }

  @Override
  protected void decay(
      MemorySegment a,
      long at,
      float[] x,
      float[] retention,
      float[] step,
      float kept,
      float factor,
      int count) {
    for (int i = 0; i < count; i++) {
      set(a, at, i, kept * retention[i] * get(a, at, i) + factor * step[i] * x[i]);
    }
  }
}
