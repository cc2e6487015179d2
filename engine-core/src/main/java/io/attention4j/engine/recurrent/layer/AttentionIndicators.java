package io.attention4j.engine.recurrent.layer;

/**
 * What the weights of a layer look like, by the measures of "Deconstructing Attention" (arXiv
 * 2510.11602), unscaled.
 *
 * @param entropy -sum a ln a, the mean over rows and heads
 * @param concentration Frobenius norm of a head's weights, the mean over heads
 * @param headDiversity standard deviation across heads, the mean over visible positions
 * @param sink weight of the first key, the mean over rows and heads
 * @param localFocus weight of the N-th key before the row, N = 0..3, the mean over the rows that
 *     have one and heads; 0 where no row has
 */
public record AttentionIndicators(
    double entropy, double concentration, double headDiversity, double sink, double[] localFocus) {
  private static final int DIAGONALS = 4;

  /**
   * Measures causal weights.
   *
   * @param maps per head [tokens, tokens], row-major, such as {@link FixedMapLayer#map}
   * @throws IllegalArgumentException if there is no head or a map has another size
   */
  public static AttentionIndicators of(double[][] maps, int tokens) {
    for (double[] map : maps) {
      if (map.length != (long) tokens * tokens) {
        throw new IllegalArgumentException(
            "a map of " + map.length + " weights is not of " + tokens + " tokens");
      }
    }
    if (maps.length == 0 || tokens < 1) {
      throw new IllegalArgumentException("indicators need at least one head and one token");
    }
    double rows = (double) tokens * maps.length;
    double entropy = 0;
    double concentration = 0;
    double sink = 0;
    double[] focus = new double[DIAGONALS];
    for (double[] map : maps) {
      double squares = 0;
      for (int i = 0; i < tokens; i++) {
        sink += map[i * tokens] / rows;
        for (int j = 0; j <= i; j++) {
          double a = map[i * tokens + j];
          squares += a * a;
          entropy -= a > 0 ? a * Math.log(a) / rows : 0;
          if (i - j < DIAGONALS) {
            focus[i - j] += a / ((tokens - (i - j)) * (double) maps.length);
          }
        }
      }
      concentration += Math.sqrt(squares) / maps.length;
    }
    return new AttentionIndicators(entropy, concentration, diversity(maps, tokens), sink, focus);
  }

  private static double diversity(double[][] maps, int tokens) {
    double sum = 0;
    for (int i = 0; i < tokens; i++) {
      for (int j = 0; j <= i; j++) {
        double mean = 0;
        double squares = 0;
        for (double[] map : maps) {
          mean += map[i * tokens + j] / maps.length;
        }
        for (double[] map : maps) {
          double difference = map[i * tokens + j] - mean;
          squares += difference * difference / maps.length;
        }
        sum += Math.sqrt(squares);
      }
    }
    return sum / (tokens * (tokens + 1) / 2.0);
  }
}
