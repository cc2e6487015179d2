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
  protected void scaled(MemorySegment memory, long from, long to, float factor, int count) {
    for (int i = 0; i < count; i++) {
      set(memory, to, i, factor * get(memory, from, i));
    }
  }

  @Override
  protected void softmax(MemorySegment memory, long logits, long weights, int count) {
    float max = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < count; i++) {
      max = Math.max(max, get(memory, logits, i));
    }
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += Math.exp(get(memory, logits, i) - max);
    }
    float logSum = (float) (max + Math.log(sum));
    for (int i = 0; i < count; i++) {
      float z = get(memory, logits, i) - logSum;
      set(memory, logits, i, z);
      set(memory, weights, i, (float) Math.exp(z));
    }
  }

  @Override
  protected void tangent(MemorySegment memory, long z, long z0, long w0, long w, int count) {
    double mean = 0;
    for (int i = 0; i < count; i++) {
      mean += get(memory, w0, i) * (get(memory, z, i) - get(memory, z0, i));
    }
    float centre = (float) mean;
    for (int i = 0; i < count; i++) {
      float moved = get(memory, z, i) - get(memory, z0, i) - centre;
      set(memory, w, i, get(memory, w0, i) * (1 + moved));
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
      MemorySegment memory,
      long s,
      long w,
      float[] x,
      float momentum,
      float factor,
      float retention,
      int count) {
    for (int i = 0; i < count; i++) {
      float moved = momentum * get(memory, s, i) + factor * x[i];
      set(memory, s, i, moved);
      set(memory, w, i, retention * get(memory, w, i) + moved);
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
