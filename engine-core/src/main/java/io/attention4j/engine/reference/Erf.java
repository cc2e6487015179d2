package io.attention4j.engine.reference;

/** The error function in float64, which java.lang.Math lacks (Abramowitz and Stegun, chapter 7). */
public final class Erf {
  private Erf() {}

  /** erfc(x) = 1 - erf(x), relative error below 1e-13 for x up to 26. */
  public static double complement(double x) {
    if (x < 0) {
      return 2 - complement(-x);
    }
    return x < 2 ? 1 - series(x) : continuedFraction(x);
  }

  /** erf(x) = 2/sqrt(pi) exp(-x^2) sum_n 2^n x^(2n+1) / (2n+1)!! (7.1.6): no term cancels. */
  private static double series(double x) {
    double term = x;
    double sum = x;
    for (int n = 1; term > sum * 1e-17; n++) {
      term *= 2 * x * x / (2 * n + 1);
      sum += term;
    }
    return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
  }

  /** erfc(x) = exp(-x^2) / sqrt(pi) / (x + (1/2)/(x + 1/(x + (3/2)/(x + ...)))) (7.1.14). */
  private static double continuedFraction(double x) {
    double denominator = x;
    for (int n = 100; n >= 1; n--) {
      denominator = x + n / 2.0 / denominator;
    }
    return Math.exp(-x * x) / Math.sqrt(Math.PI) / denominator;
  }
}
