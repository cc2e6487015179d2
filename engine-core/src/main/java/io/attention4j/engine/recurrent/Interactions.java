package io.attention4j.engine.recurrent;

/**
 * How tokens of a range act on each other. Decays between tokens are running products of Lambda,
 * never quotients of products from the start: for factors up to 1 nothing overflows, and a factor
 * of 0 needs no special case. In logarithms this is e^(G_i - G_m) with G_i &lt;= G_m; e^(-G) alone
 * does not occur.
 */
final class Interactions {
  private Interactions() {}

  /**
   * weights[i, m] = sum_d left_i[d] (prod_{m &lt; t &lt;= last} Lambda_t[d]) right_m[d] in column
   * j, where last is i and m runs to i (after the token's own transition), or last is i - 1 and m
   * runs to i - 1 (before it).
   *
   * @return [to - from, to - from], lower triangular
   */
  static double[] weights(
      DynamicalSystem system,
      Coefficient left,
      Coefficient right,
      int from,
      int to,
      int j,
      boolean afterTransition) {
    int size = to - from;
    double[] weights = new double[size * size];
    for (int i = 0; i < size; i++) {
      int last = afterTransition ? i : i - 1;
      for (int d = 0; d < system.stateDim(); d++) {
        double decay = left.at(from + i, d, j);
        for (int m = last; m >= 0; m--) {
          weights[i * size + m] += decay * right.at(from + m, d, j);
          decay *= system.lambda().at(from + m, d, j);
        }
      }
    }
    return weights;
  }
}
