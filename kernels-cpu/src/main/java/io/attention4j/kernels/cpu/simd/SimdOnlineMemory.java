package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static jdk.incubator.vector.VectorOperators.ABS;
import static jdk.incubator.vector.VectorOperators.ADD;
import static jdk.incubator.vector.VectorOperators.LT;
import static jdk.incubator.vector.VectorOperators.MAX;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.ActivationKernel.Function;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.recurrent.OnlineMemoryHeads;
import io.attention4j.kernels.cpu.scalar.ScalarActivation;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/** Memories with vectors along the columns of their matrices. */
final class SimdOnlineMemory extends OnlineMemoryHeads {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final float SQRT_HALF = 0.70710678f;

  /** 1 / sqrt(2 pi). */
  private static final float DENSITY = 0.39894228f;

  SimdOnlineMemory(Parallel workers) {
    super(workers);
  }

  private static FloatVector load(MemorySegment memory, long at, int i) {
    return FloatVector.fromMemorySegment(FLOAT, memory, at + 4L * i, LE);
  }

  private static float get(MemorySegment memory, long at, int i) {
    return memory.get(Tensor.FLOAT, at + 4L * i);
  }

  private static void set(MemorySegment memory, long at, int i, float value) {
    memory.set(Tensor.FLOAT, at + 4L * i, value);
  }

  private static void requireNative(MemorySegment memory) {
    if (!memory.isNative()) {
      throw NativeMemory.required();
    }
  }

  @Override
  protected float largest(MemorySegment memory, long at, int count) {
    requireNative(memory);
    FloatVector most = FloatVector.zero(FLOAT);
    int i = 0;
    for (; i + LANES <= count; i += LANES) {
      FloatVector x = load(memory, at, i).lanewise(ABS);
      most = most.blend(x, most.compare(LT, x));
    }
    float largest = most.reduceLanes(MAX);
    for (; i < count; i++) {
      largest = Math.max(largest, Math.abs(get(memory, at, i)));
    }
    return largest;
  }

  @Override
  protected double fourthPowers(MemorySegment memory, long at, float scale, int count) {
    requireNative(memory);
    FloatVector sums = FloatVector.zero(FLOAT);
    int i = 0;
    for (; i + LANES <= count; i += LANES) {
      FloatVector x = load(memory, at, i).mul(scale);
      FloatVector square = x.mul(x);
      sums = square.fma(square, sums);
    }
    double sum = sums.reduceLanes(ADD);
    for (; i < count; i++) {
      double x = scale * get(memory, at, i);
      sum += x * x * x * x;
    }
    return sum;
  }

  @Override
  protected void scaled(MemorySegment memory, long from, long to, float factor, int count) {
    requireNative(memory);
    int i = 0;
    for (; i + LANES <= count; i += LANES) {
      load(memory, from, i).mul(factor).intoMemorySegment(memory, to + 4L * i, LE);
    }
    for (; i < count; i++) {
      set(memory, to, i, factor * get(memory, from, i));
    }
  }

  @Override
  protected void softmax(MemorySegment memory, long logits, long weights, int count) {
    requireNative(memory);
    int whole = count - count % LANES;
    FloatVector most = FloatVector.broadcast(FLOAT, Float.NEGATIVE_INFINITY);
    for (int i = 0; i < whole; i += LANES) {
      FloatVector z = load(memory, logits, i);
      most = most.blend(z, most.compare(LT, z));
    }
    float max = most.reduceLanes(MAX);
    for (int i = whole; i < count; i++) {
      max = Math.max(max, get(memory, logits, i));
    }
    FloatVector sums = FloatVector.zero(FLOAT);
    for (int i = 0; i < whole; i += LANES) {
      sums = sums.add(Exp2.upTo127(load(memory, logits, i).sub(max).mul(Exp2.LOG2_E)));
    }
    double sum = sums.reduceLanes(ADD);
    for (int i = whole; i < count; i++) {
      sum += Math.exp(get(memory, logits, i) - max);
    }
    float logSum = (float) (max + Math.log(sum));
    for (int i = 0; i < whole; i += LANES) {
      FloatVector z = load(memory, logits, i).sub(logSum);
      z.intoMemorySegment(memory, logits + 4L * i, LE);
      Exp2.upTo127(z.mul(Exp2.LOG2_E)).intoMemorySegment(memory, weights + 4L * i, LE);
    }
    for (int i = whole; i < count; i++) {
      float z = get(memory, logits, i) - logSum;
      set(memory, logits, i, z);
      set(memory, weights, i, (float) Math.exp(z));
    }
  }

  @Override
  protected void tangent(MemorySegment memory, long z, long z0, long w0, long w, int count) {
    requireNative(memory);
    int whole = count - count % LANES;
    FloatVector sums = FloatVector.zero(FLOAT);
    for (int i = 0; i < whole; i += LANES) {
      sums = load(memory, z, i).sub(load(memory, z0, i)).fma(load(memory, w0, i), sums);
    }
    float mean = sums.reduceLanes(ADD);
    for (int i = whole; i < count; i++) {
      mean += get(memory, w0, i) * (get(memory, z, i) - get(memory, z0, i));
    }
    for (int i = 0; i < whole; i += LANES) {
      FloatVector before = load(memory, w0, i);
      load(memory, z, i)
          .sub(load(memory, z0, i))
          .sub(mean)
          .fma(before, before)
          .intoMemorySegment(memory, w + 4L * i, LE);
    }
    for (int i = whole; i < count; i++) {
      float moved = get(memory, z, i) - get(memory, z0, i) - mean;
      set(memory, w, i, get(memory, w0, i) * (1 + moved));
    }
  }

  /** Four rows at a time, which share what is loaded of x. */
  @Override
  protected void product(MemorySegment w, long at, float[] x, float[] y, int rows, int columns) {
    requireNative(w);
    long row = 4L * columns;
    int r = 0;
    for (; r + 4 <= rows; r += 4) {
      long from = at + r * row;
      FloatVector sum0 = FloatVector.zero(FLOAT);
      FloatVector sum1 = FloatVector.zero(FLOAT);
      FloatVector sum2 = FloatVector.zero(FLOAT);
      FloatVector sum3 = FloatVector.zero(FLOAT);
      int c = 0;
      for (; c + LANES <= columns; c += LANES) {
        FloatVector factor = FloatVector.fromArray(FLOAT, x, c);
        sum0 = load(w, from, c).fma(factor, sum0);
        sum1 = load(w, from + row, c).fma(factor, sum1);
        sum2 = load(w, from + 2 * row, c).fma(factor, sum2);
        sum3 = load(w, from + 3 * row, c).fma(factor, sum3);
      }
      y[r] = sum0.reduceLanes(ADD) + tail(w, from, x, c, columns);
      y[r + 1] = sum1.reduceLanes(ADD) + tail(w, from + row, x, c, columns);
      y[r + 2] = sum2.reduceLanes(ADD) + tail(w, from + 2 * row, x, c, columns);
      y[r + 3] = sum3.reduceLanes(ADD) + tail(w, from + 3 * row, x, c, columns);
    }
    for (; r < rows; r++) {
      long from = at + r * row;
      FloatVector sum = FloatVector.zero(FLOAT);
      int c = 0;
      for (; c + LANES <= columns; c += LANES) {
        sum = load(w, from, c).fma(FloatVector.fromArray(FLOAT, x, c), sum);
      }
      y[r] = sum.reduceLanes(ADD) + tail(w, from, x, c, columns);
    }
  }

  private static float tail(MemorySegment w, long at, float[] x, int from, int to) {
    float sum = 0;
    for (int c = from; c < to; c++) {
      sum += get(w, at, c) * x[c];
    }
    return sum;
  }

  /** Two vectors of columns at a time, whose sums stay in registers through all rows. */
  @Override
  protected void addTransposed(
      MemorySegment w, long at, float[] x, float[] y, int rows, int columns) {
    requireNative(w);
    long row = 4L * columns;
    int c = 0;
    for (; c + 2 * LANES <= columns; c += 2 * LANES) {
      FloatVector sum0 = FloatVector.fromArray(FLOAT, y, c);
      FloatVector sum1 = FloatVector.fromArray(FLOAT, y, c + LANES);
      for (int r = 0; r < rows; r++) {
        FloatVector factor = FloatVector.broadcast(FLOAT, x[r]);
        sum0 = load(w, at + r * row, c).fma(factor, sum0);
        sum1 = load(w, at + r * row, c + LANES).fma(factor, sum1);
      }
      sum0.intoArray(y, c);
      sum1.intoArray(y, c + LANES);
    }
    for (; c < columns; c++) {
      float sum = y[c];
      for (int r = 0; r < rows; r++) {
        sum += get(w, at + r * row, c) * x[r];
      }
      y[c] = sum;
    }
  }

  /**
   * As in {@link SimdActivation}, which has the source of the polynomial. Not shared: C2 may leave
   * a shared method a call, whose vectors are objects.
   */
  @Override
  protected void gelu(float[] x, float[] y, float[] slope, int count) {
    FloatVector one = FloatVector.broadcast(FLOAT, 1f);
    int whole = count - count % LANES;
    for (int i = 0; i < whole; i += LANES) {
      FloatVector v = FloatVector.fromArray(FLOAT, x, i);
      FloatVector z = v.lanewise(ABS).mul(SQRT_HALF);
      FloatVector t = one.div(z.mul(0.5f).add(1f));
      FloatVector p = FloatVector.broadcast(FLOAT, 0.17087277f);
      p = p.fma(t, FloatVector.broadcast(FLOAT, -0.82215223f));
      p = p.fma(t, FloatVector.broadcast(FLOAT, 1.48851587f));
      p = p.fma(t, FloatVector.broadcast(FLOAT, -1.13520398f));
      p = p.fma(t, FloatVector.broadcast(FLOAT, 0.27886807f));
      p = p.fma(t, FloatVector.broadcast(FLOAT, -0.18628806f));
      p = p.fma(t, FloatVector.broadcast(FLOAT, 0.09678418f));
      p = p.fma(t, FloatVector.broadcast(FLOAT, 0.37409196f));
      p = p.fma(t, FloatVector.broadcast(FLOAT, 1.00002368f));
      p = p.fma(t, FloatVector.broadcast(FLOAT, -1.26551223f));
      FloatVector square = z.mul(z);
      FloatVector tail = t.mul(Exp2.upTo127(p.sub(square).mul(Exp2.LOG2_E)));
      FloatVector complement = tail.sub(2f).neg().blend(tail, v.compare(LT, 0f));
      FloatVector normal = complement.mul(0.5f);
      normal.mul(v).intoArray(y, i);
      FloatVector density = Exp2.upTo127(square.mul(-Exp2.LOG2_E)).mul(DENSITY);
      density.fma(v, normal).intoArray(slope, i);
    }
    for (int i = whole; i < count; i++) {
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
    requireNative(memory);
    FloatVector kept = FloatVector.broadcast(FLOAT, momentum);
    FloatVector stays = FloatVector.broadcast(FLOAT, retention);
    int i = 0;
    for (; i + LANES <= count; i += LANES) {
      FloatVector moved =
          load(memory, s, i).fma(kept, FloatVector.fromArray(FLOAT, x, i).mul(factor));
      moved.intoMemorySegment(memory, s + 4L * i, LE);
      load(memory, w, i).fma(stays, moved).intoMemorySegment(memory, w + 4L * i, LE);
    }
    for (; i < count; i++) {
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
    requireNative(a);
    int i = 0;
    for (; i + LANES <= count; i += LANES) {
      FloatVector moved =
          FloatVector.fromArray(FLOAT, step, i).mul(factor).mul(FloatVector.fromArray(FLOAT, x, i));
      load(a, at, i)
          .fma(FloatVector.fromArray(FLOAT, retention, i).mul(kept), moved)
          .intoMemorySegment(a, at + 4L * i, LE);
    }
    for (; i < count; i++) {
      set(a, at, i, kept * retention[i] * get(a, at, i) + factor * step[i] * x[i]);
    }
  }
}
