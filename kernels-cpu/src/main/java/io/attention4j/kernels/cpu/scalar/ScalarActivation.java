package io.attention4j.kernels.cpu.scalar;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.rows.ActivationRange;
import java.lang.foreign.MemorySegment;

/** Activations in plain loops, in float64. */
public final class ScalarActivation extends ActivationRange {
  private static final double SQRT_HALF = Math.sqrt(0.5);
  private static final double TWO_SQRT_TWO_OVER_PI = 2 * Math.sqrt(2 / Math.PI);

  ScalarActivation(Parallel workers) {
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
    for (long i = 0; i < elements; i++) {
      float y = value(function, x.get(Tensor.FLOAT, at + 4 * i));
      if (gated != null) {
        y *= gated.get(Tensor.FLOAT, gatedAt + 4 * i);
      }
      out.set(Tensor.FLOAT, outAt + 4 * i, y);
    }
  }

  /** One value; the limit at -inf is 0 for all but RELU's like. */
  public static float value(Function function, float x) {
    return switch (function) {
      case SILU -> x == Float.NEGATIVE_INFINITY ? 0 : (float) (x * sigmoid(x));
      case GELU -> x == Float.NEGATIVE_INFINITY ? 0 : (float) (0.5 * x * erfc(-x * SQRT_HALF));
      case GELU_TANH -> x == Float.NEGATIVE_INFINITY ? 0 : geluTanh(x);
      case RELU -> Math.max(x, 0);
      case SIGMOID -> (float) sigmoid(x);
      case SOFTPLUS -> (float) (Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs((double) x))));
    };
  }

  /** 0.5 x (1 + tanh u) written as x sigmoid(2u), which keeps relative precision for x below 0. */
  private static float geluTanh(double x) {
    return (float) (x * sigmoid(TWO_SQRT_TWO_OVER_PI * (x + 0.044715 * x * x * x)));
  }

  private static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  /**
   * 1 - erf(x) with a relative error below 1.2e-7 (Press et al., Numerical Recipes, 2nd edition,
   * section 6.2, erfcc).
   */
  private static double erfc(double x) {
    double z = Math.abs(x);
    double t = 1 / (1 + 0.5 * z);
    double p = 0.17087277;
    p = p * t - 0.82215223;
    p = p * t + 1.48851587;
    p = p * t - 1.13520398;
    p = p * t + 0.27886807;
    p = p * t - 0.18628806;
    p = p * t + 0.09678418;
    p = p * t + 0.37409196;
    p = p * t + 1.00002368;
    p = p * t - 1.26551223;
    double tail = t * Math.exp(-z * z + p);
    return x >= 0 ? tail : 2 - tail;
  }
}
