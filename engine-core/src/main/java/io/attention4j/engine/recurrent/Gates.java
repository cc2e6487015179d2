package io.attention4j.engine.recurrent;

import io.attention4j.engine.reference.Erf;

/** The scalar functions of gates, decays and small networks; each keeps precision in its tails. */
public final class Gates {
  private Gates() {}

  /** 1 / (1 + e^-x). */
  public static double sigmoid(double x) {
    if (x >= 0) {
      return 1 / (1 + Math.exp(-x));
    }
    double e = Math.exp(x);
    return e / (1 + e);
  }

  /** ln(1 + e^x). */
  public static double softplus(double x) {
    return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
  }

  /** ln sigmoid(x), a log-decay. */
  public static double logSigmoid(double x) {
    return -softplus(-x);
  }

  /**
   * sigmoid(-x)^power = e^(-power softplus(x)): the decay of S6 as a gate (arXiv 2405.15731,
   * section 4.3).
   *
   * @param power at least 0
   */
  public static double reversedSigmoid(double x, double power) {
    return Math.exp(-power * softplus(x));
  }

  /** x sigmoid(x). */
  public static double silu(double x) {
    return x * sigmoid(x);
  }

  /** x Phi(x) with the normal distribution's exact Phi. */
  public static double gelu(double x) {
    return x * normal(x);
  }

  /** The derivative of {@link #gelu}, Phi(x) + x phi(x). */
  public static double geluSlope(double x) {
    return normal(x) + x * Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  }

  private static double normal(double x) {
    return 0.5 * Erf.complement(-x / Math.sqrt(2));
  }
}
