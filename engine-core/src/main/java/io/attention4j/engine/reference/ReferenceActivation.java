package io.attention4j.engine.reference;

import io.attention4j.engine.spi.ActivationKernel;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** y = f(x), or f(x) * gated. */
final class ReferenceActivation implements ActivationKernel {
  private static final double SQRT_TWO_OVER_PI = Math.sqrt(2 / Math.PI);

  @Override
  public Support supports(Function function) {
    return Support.YES;
  }

  @Override
  public void run(Function function, Tensor x, Tensor gated, Tensor out, long elements) {
    TensorChecks.requireFloats("x", x, elements);
    TensorChecks.requireFloats("out", out, elements);
    if (gated != null) {
      TensorChecks.requireFloats("gated", gated, elements);
    }
    MemorySegment in = x.segment();
    MemorySegment result = out.segment();
    for (long i = 0; i < elements; i++) {
      double y = apply(function, in.getAtIndex(Tensor.FLOAT, i));
      if (gated != null) {
        y *= gated.segment().getAtIndex(Tensor.FLOAT, i);
      }
      result.setAtIndex(Tensor.FLOAT, i, (float) y);
    }
  }

  private static double apply(Function function, double x) {
    return switch (function) {
      case SILU -> x == Double.NEGATIVE_INFINITY ? 0 : x * sigmoid(x);
      case GELU -> x == Double.NEGATIVE_INFINITY ? 0 : 0.5 * x * Erf.complement(-x / Math.sqrt(2));
      case GELU_TANH -> geluTanh(x);
      case RELU -> Math.max(x, 0);
      case SIGMOID -> sigmoid(x);
      case SOFTPLUS -> Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
    };
  }

  /** 0.5 x (1 + tanh u) written as x sigmoid(2u), which keeps relative precision for x below 0. */
  private static double geluTanh(double x) {
    double u = SQRT_TWO_OVER_PI * (x + 0.044715 * x * x * x);
    return x == Double.NEGATIVE_INFINITY ? 0 : x * sigmoid(2 * u);
  }

  /** Both branches keep relative precision in the tails. */
  static double sigmoid(double x) {
    if (x >= 0) {
      return 1 / (1 + Math.exp(-x));
    }
    double e = Math.exp(x);
    return e / (1 + e);
  }
}
