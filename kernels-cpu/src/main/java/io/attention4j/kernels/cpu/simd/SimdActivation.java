package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static jdk.incubator.vector.VectorOperators.ABS;
import static jdk.incubator.vector.VectorOperators.EQ;
import static jdk.incubator.vector.VectorOperators.LT;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.rows.ActivationRange;
import io.attention4j.kernels.cpu.scalar.ScalarActivation;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/**
 * Activations with vectors, built on {@link Exp2}. One loop per function, because C2 compiles a
 * loop around a choice of vector expressions badly.
 */
final class SimdActivation extends ActivationRange {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final float SQRT_HALF = 0.70710678f;

  /** 2 sqrt(2 / pi), and that times 0.044715. */
  private static final float TANH_LINEAR = 1.5957691f;

  private static final float TANH_CUBIC = 0.07135481f;

  SimdActivation(Parallel workers) {
    super(workers);
  }

  @Override
  protected void apply(
      Function function,
      MemorySegment x,
      long at,
      MemorySegment gated,
      long gatedAt,
      MemorySegment out,
      long outAt,
      long elements) {
    long whole = elements - elements % LANES;
    switch (function) {
      case SILU -> silu(x, at, gated, gatedAt, out, outAt, whole);
      case GELU -> gelu(x, at, gated, gatedAt, out, outAt, whole);
      case GELU_TANH -> geluTanh(x, at, gated, gatedAt, out, outAt, whole);
      case RELU -> relu(x, at, gated, gatedAt, out, outAt, whole);
      case SIGMOID -> sigmoid(x, at, gated, gatedAt, out, outAt, whole);
      case SOFTPLUS -> softplus(x, at, gated, gatedAt, out, outAt, whole);
    }
    for (long i = whole; i < elements; i++) {
      float y = ScalarActivation.value(function, x.get(Tensor.FLOAT, at + 4 * i));
      if (gated != null) {
        y *= gated.get(Tensor.FLOAT, gatedAt + 4 * i);
      }
      out.set(Tensor.FLOAT, outAt + 4 * i, y);
    }
  }

  private static void silu(
      MemorySegment x,
      long at,
      MemorySegment gated,
      long gatedAt,
      MemorySegment out,
      long outAt,
      long elements) {
    for (long i = 0; i < elements; i += LANES) {
      FloatVector v = FloatVector.fromMemorySegment(FLOAT, x, at + 4 * i, LE);
      FloatVector y = v.div(Exp2.of(v.mul(-Exp2.LOG2_E)).add(1f));
      y = y.blend(0f, v.compare(EQ, Float.NEGATIVE_INFINITY));
      if (gated != null) {
        y = y.mul(FloatVector.fromMemorySegment(FLOAT, gated, gatedAt + 4 * i, LE));
      }
      y.intoMemorySegment(out, outAt + 4 * i, LE);
    }
  }

  private static void geluTanh(
      MemorySegment x,
      long at,
      MemorySegment gated,
      long gatedAt,
      MemorySegment out,
      long outAt,
      long elements) {
    FloatVector linear = FloatVector.broadcast(FLOAT, -Exp2.LOG2_E * TANH_LINEAR);
    for (long i = 0; i < elements; i += LANES) {
      FloatVector v = FloatVector.fromMemorySegment(FLOAT, x, at + 4 * i, LE);
      FloatVector u = v.mul(v).mul(-Exp2.LOG2_E * TANH_CUBIC).add(linear).mul(v);
      FloatVector y = v.div(Exp2.of(u).add(1f));
      y = y.blend(0f, v.compare(EQ, Float.NEGATIVE_INFINITY));
      if (gated != null) {
        y = y.mul(FloatVector.fromMemorySegment(FLOAT, gated, gatedAt + 4 * i, LE));
      }
      y.intoMemorySegment(out, outAt + 4 * i, LE);
    }
  }

  /** x/2 erfc(-x / sqrt 2), with erfc as {@link ScalarActivation} has it. */
  private static void gelu(
      MemorySegment x,
      long at,
      MemorySegment gated,
      long gatedAt,
      MemorySegment out,
      long outAt,
      long elements) {
    FloatVector one = FloatVector.broadcast(FLOAT, 1f);
    for (long i = 0; i < elements; i += LANES) {
      FloatVector v = FloatVector.fromMemorySegment(FLOAT, x, at + 4 * i, LE);
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
      FloatVector tail = t.mul(Exp2.of(p.sub(z.mul(z)).mul(Exp2.LOG2_E)));
      FloatVector complement = tail.sub(2f).neg().blend(tail, v.compare(LT, 0f));
      FloatVector y = v.mul(0.5f).mul(complement);
      y = y.blend(0f, v.compare(EQ, Float.NEGATIVE_INFINITY));
      if (gated != null) {
        y = y.mul(FloatVector.fromMemorySegment(FLOAT, gated, gatedAt + 4 * i, LE));
      }
      y.intoMemorySegment(out, outAt + 4 * i, LE);
    }
  }

  private static void relu(
      MemorySegment x,
      long at,
      MemorySegment gated,
      long gatedAt,
      MemorySegment out,
      long outAt,
      long elements) {
    for (long i = 0; i < elements; i += LANES) {
      FloatVector v = FloatVector.fromMemorySegment(FLOAT, x, at + 4 * i, LE);
      FloatVector y = v.blend(0f, v.compare(LT, 0f));
      if (gated != null) {
        y = y.mul(FloatVector.fromMemorySegment(FLOAT, gated, gatedAt + 4 * i, LE));
      }
      y.intoMemorySegment(out, outAt + 4 * i, LE);
    }
  }

  private static void sigmoid(
      MemorySegment x,
      long at,
      MemorySegment gated,
      long gatedAt,
      MemorySegment out,
      long outAt,
      long elements) {
    FloatVector one = FloatVector.broadcast(FLOAT, 1f);
    for (long i = 0; i < elements; i += LANES) {
      FloatVector v = FloatVector.fromMemorySegment(FLOAT, x, at + 4 * i, LE);
      FloatVector y = one.div(Exp2.of(v.mul(-Exp2.LOG2_E)).add(1f));
      if (gated != null) {
        y = y.mul(FloatVector.fromMemorySegment(FLOAT, gated, gatedAt + 4 * i, LE));
      }
      y.intoMemorySegment(out, outAt + 4 * i, LE);
    }
  }

  /**
   * max(x, 0) + ln(1 + e) with e = e^-|x|, the logarithm as 2 artanh(e / (2 + e)): its series in z,
   * at most 1/9, ends after the seventh term with a relative error below 2e-8.
   */
  private static void softplus(
      MemorySegment x,
      long at,
      MemorySegment gated,
      long gatedAt,
      MemorySegment out,
      long outAt,
      long elements) {
    for (long i = 0; i < elements; i += LANES) {
      FloatVector v = FloatVector.fromMemorySegment(FLOAT, x, at + 4 * i, LE);
      FloatVector e = Exp2.upTo127(v.lanewise(ABS).mul(-Exp2.LOG2_E));
      FloatVector s = e.div(e.add(2f));
      FloatVector z = s.mul(s);
      FloatVector p = FloatVector.broadcast(FLOAT, 2f / 13);
      p = p.fma(z, FloatVector.broadcast(FLOAT, 2f / 11));
      p = p.fma(z, FloatVector.broadcast(FLOAT, 2f / 9));
      p = p.fma(z, FloatVector.broadcast(FLOAT, 2f / 7));
      p = p.fma(z, FloatVector.broadcast(FLOAT, 2f / 5));
      p = p.fma(z, FloatVector.broadcast(FLOAT, 2f / 3));
      p = p.fma(z, FloatVector.broadcast(FLOAT, 2f));
      FloatVector y = v.blend(0f, v.compare(LT, 0f)).add(p.mul(s));
      if (gated != null) {
        y = y.mul(FloatVector.fromMemorySegment(FLOAT, gated, gatedAt + 4 * i, LE));
      }
      y.intoMemorySegment(out, outAt + 4 * i, LE);
    }
  }
}
