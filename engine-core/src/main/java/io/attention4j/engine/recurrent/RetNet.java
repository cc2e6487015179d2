package io.attention4j.engine.recurrent;

/**
 * Retention (Sun et al. 2023, arXiv 2307.08621): S = gamma S + k v^T, y = scale q^T S, with one
 * constant gamma per head. In the framework Lambda = gamma I.
 */
public final class RetNet {
  private RetNet() {}

  /**
   * The system of one head.
   *
   * @param q rotated queries, [tokens, keyDim]
   * @param k rotated keys, [tokens, keyDim]
   * @param v [tokens, valueDim]
   * @param gamma decay, see {@link #gamma}
   */
  public static DynamicalSystem system(Rows q, Rows k, Rows v, double gamma, double scale) {
    return new DynamicalSystem(
        k.width(),
        Coefficient.constant(gamma),
        null,
        Coefficient.perRow(k),
        v,
        Coefficient.perRow(q.scaled(scale)),
        null);
  }

  /** The decay of a head, 1 - 2^(-5 - head). */
  public static double gamma(int head) {
    return 1 - Math.scalb(1.0, -5 - head);
  }
}
