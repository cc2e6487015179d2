package io.attention4j.engine.recurrent;

/** A system token by token, as its definition reads: decoding. */
public final class Recurrence {
  private Recurrence() {}

  /**
   * Runs all tokens; cost tokens x stateDim x valueDim.
   *
   * @param state [stateDim, valueDim] before the first token; after the last one on return
   * @return y, [tokens, valueDim]
   * @throws IllegalArgumentException if the state is of another size
   */
  public static Rows run(DynamicalSystem system, double[] state) {
    system.requireState(state);
    int columns = system.valueDim();
    double[] y = new double[system.tokens() * columns];
    for (int t = 0; t < system.tokens(); t++) {
      for (int j = 0; j < columns; j++) {
        y[t * columns + j] = step(system, state, t, j);
      }
    }
    return new Rows(y, columns);
  }

  /** Columns of the state do not interact: token t of column j. */
  private static double step(DynamicalSystem system, double[] state, int t, int j) {
    int columns = system.valueDim();
    LowRank lowRank = system.lowRank();
    double recalled = 0;
    for (int i = 0; lowRank != null && i < system.stateDim(); i++) {
      recalled += lowRank.read().at(t, i) * state[i * columns + j];
    }
    double y = system.feedThrough(t, j);
    for (int i = 0; i < system.stateDim(); i++) {
      int at = i * columns + j;
      double next =
          system.lambda().at(t, i, j) * state[at] + system.b().at(t, i, j) * system.u().at(t, j);
      if (lowRank != null) {
        next += lowRank.write().at(t, i) * recalled;
      }
      state[at] = next;
      y += system.c().at(t, i, j) * next;
    }
    return y;
  }
}
