package io.attention4j.engine.recurrent;

/**
 * A system with a diagonal transition as a lower triangular matrix over tokens: y = Phi u + D u,
 * Phi[i, m] = C_i (prod_{m &lt; t &lt;= i} Lambda_t) B_m, as attention is usually written.
 */
public final class QuadraticForm {
  private QuadraticForm() {}

  /**
   * Phi of one column of the state, [tokens, tokens].
   *
   * @throws IllegalArgumentException if the transition has a rank-one part or there is no such
   *     column
   */
  public static double[] matrix(DynamicalSystem system, int column) {
    if (system.lowRank() != null) {
      throw new IllegalArgumentException(
          "a system with a rank-one transition has no quadratic form; run it in chunks");
    }
    if (column < 0 || column >= system.valueDim()) {
      throw new IllegalArgumentException(
          "column " + column + " is outside 0.." + (system.valueDim() - 1));
    }
    return Interactions.weights(system, system.c(), system.b(), 0, system.tokens(), column, true);
  }

  /**
   * All outputs from an empty state; cost tokens^2 x (stateDim + valueDim).
   *
   * @return y, [tokens, valueDim]
   * @throws IllegalArgumentException if the transition has a rank-one part
   */
  public static Rows run(DynamicalSystem system) {
    int tokens = system.tokens();
    int columns = system.valueDim();
    double[] y = new double[tokens * columns];
    double[] phi = {};
    for (int j = 0; j < columns; j++) {
      if (j == 0 || system.variesByColumn()) {
        phi = matrix(system, j);
      }
      for (int i = 0; i < tokens; i++) {
        double sum = system.feedThrough(i, j);
        for (int m = 0; m <= i; m++) {
          sum += phi[i * tokens + m] * system.u().at(m, j);
        }
        y[i * columns + j] = sum;
      }
    }
    return new Rows(y, columns);
  }
}
