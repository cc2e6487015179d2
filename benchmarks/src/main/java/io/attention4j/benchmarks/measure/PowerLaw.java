package io.attention4j.benchmarks.measure;

/**
 * y = a x^b, fitted to the logarithms by least squares.
 *
 * @param exponent b
 * @param error standard error of b; NaN with two points
 * @param points how many
 */
public record PowerLaw(double exponent, double error, int points) {
  /** 97.5% points of Student's t with 1 .. 10 degrees of freedom. */
  private static final double[] T = {
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228
  };

  /**
   * Fits.
   *
   * @throws IllegalArgumentException if there are fewer than two points
   */
  public static PowerLaw fit(double[] x, double[] y) {
    int n = x.length;
    if (n < 2 || y.length != n) {
      throw new IllegalArgumentException(
          "an exponent needs two points or more, not " + n + " and " + y.length);
    }
    double meanX = 0;
    double meanY = 0;
    for (int i = 0; i < n; i++) {
      meanX += Math.log(x[i]) / n;
      meanY += Math.log(y[i]) / n;
    }
    double xx = 0;
    double xy = 0;
    for (int i = 0; i < n; i++) {
      xx += Math.pow(Math.log(x[i]) - meanX, 2);
      xy += (Math.log(x[i]) - meanX) * (Math.log(y[i]) - meanY);
    }
    double exponent = xy / xx;
    double squares = 0;
    for (int i = 0; i < n; i++) {
      double rest = Math.log(y[i]) - meanY - exponent * (Math.log(x[i]) - meanX);
      squares += rest * rest;
    }
    return new PowerLaw(exponent, n > 2 ? Math.sqrt(squares / (n - 2) / xx) : Double.NaN, n);
  }

  /** Half the width of the exponent's 95% confidence interval; NaN with two points. */
  public double confidence() {
    return points > 2 ? error * T[Math.min(points - 2, T.length) - 1] : Double.NaN;
  }
}
