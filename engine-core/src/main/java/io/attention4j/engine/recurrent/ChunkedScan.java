package io.attention4j.engine.recurrent;

/**
 * A system in chunks: quadratic inside a chunk, recurrent between chunks (Yang et al. 2024, arXiv
 * 2312.06635, section 4; with a rank-one transition arXiv 2406.06484, section 3, and the DPLR form
 * of RWKV-7, arXiv 2503.14456). With P_i the product of Lambda from the chunk's first token through
 * i, and z_i = read_i^T S_{i-1}, what the rank-one part recalls:
 *
 * <pre>
 * z   = (read * P_{i-1}) S + strict(read, write) z + strict(read, B) u     solved forwards
 * y   = (C * P) S + lower(C, B) u + lower(C, write) z + D u
 * S'  = P_last S + (B * P_last/P)^T u + (write * P_last/P)^T z
 * </pre>
 *
 * <p>where strict and lower weigh pairs of tokens by the decay between them ({@link Interactions}).
 * The delta family's T = (I + strict(beta K, K))^-1 is the forward solution of z.
 */
public final class ChunkedScan {
  private final DynamicalSystem system;
  private final int from;
  private final int to;
  private double[] recall;
  private double[] recallOfInput;
  private double[] response;
  private double[] responseToRecalled;

  private ChunkedScan(DynamicalSystem system, int from, int to) {
    this.system = system;
    this.from = from;
    this.to = to;
  }

  /**
   * Runs all tokens; cost tokens x (chunk x (stateDim + valueDim) + stateDim x valueDim) where no
   * factor varies by column.
   *
   * @param state [stateDim, valueDim] before the first token; after the last one on return
   * @param chunk tokens per chunk, at least 1; the last chunk may be shorter
   * @return y, [tokens, valueDim]
   * @throws IllegalArgumentException if the state is of another size or the chunk below 1
   */
  public static Rows run(DynamicalSystem system, double[] state, int chunk) {
    system.requireState(state);
    if (chunk < 1) {
      throw new IllegalArgumentException("a chunk of " + chunk + " tokens; it needs at least 1");
    }
    double[] y = new double[system.tokens() * system.valueDim()];
    for (int from = 0; from < system.tokens(); from += chunk) {
      int to = Math.min(system.tokens() - from, chunk) + from;
      new ChunkedScan(system, from, to).run(state, y);
    }
    return new Rows(y, system.valueDim());
  }

  private void run(double[] state, double[] y) {
    int columns = system.valueDim();
    double[] column = new double[system.stateDim()];
    for (int j = 0; j < columns; j++) {
      if (j == 0 || system.variesByColumn()) {
        weigh(j);
      }
      for (int i = 0; i < column.length; i++) {
        column[i] = state[i * columns + j];
      }
      double[] recalled = system.lowRank() == null ? null : recalled(column, j);
      respond(column, recalled, j, y);
      advance(column, recalled, j);
      for (int i = 0; i < column.length; i++) {
        state[i * columns + j] = column[i];
      }
    }
  }

  /** The pairwise weights of this chunk in column j. */
  private void weigh(int j) {
    response = Interactions.weights(system, system.c(), system.b(), from, to, j, true);
    if (system.lowRank() != null) {
      Coefficient read = Coefficient.perRow(system.lowRank().read());
      Coefficient write = Coefficient.perRow(system.lowRank().write());
      recall = Interactions.weights(system, read, write, from, to, j, false);
      recallOfInput = Interactions.weights(system, read, system.b(), from, to, j, false);
      responseToRecalled = Interactions.weights(system, system.c(), write, from, to, j, true);
    }
  }

  /** z by forward substitution: the matrix is unit lower triangular. */
  private double[] recalled(double[] column, int j) {
    int size = to - from;
    double[] z = new double[size];
    double[] decayed = column.clone();
    for (int i = 0; i < size; i++) {
      for (int d = 0; d < decayed.length; d++) {
        z[i] += system.lowRank().read().at(from + i, d) * decayed[d];
        decayed[d] *= system.lambda().at(from + i, d, j);
      }
      for (int m = 0; m < i; m++) {
        z[i] += recall[i * size + m] * z[m];
        z[i] += recallOfInput[i * size + m] * system.u().at(from + m, j);
      }
    }
    return z;
  }

  private void respond(double[] column, double[] z, int j, double[] y) {
    int size = to - from;
    double[] decayed = column.clone();
    for (int i = 0; i < size; i++) {
      double sum = system.feedThrough(from + i, j);
      for (int d = 0; d < decayed.length; d++) {
        decayed[d] *= system.lambda().at(from + i, d, j);
        sum += system.c().at(from + i, d, j) * decayed[d];
      }
      for (int m = 0; m <= i; m++) {
        sum += response[i * size + m] * system.u().at(from + m, j);
        if (z != null) {
          sum += responseToRecalled[i * size + m] * z[m];
        }
      }
      y[(from + i) * system.valueDim() + j] = sum;
    }
  }

  /** The state after the chunk. */
  private void advance(double[] column, double[] z, int j) {
    for (int d = 0; d < column.length; d++) {
      double decay = 1;
      double gained = 0;
      for (int m = to - 1; m >= from; m--) {
        double written = system.b().at(m, d, j) * system.u().at(m, j);
        if (z != null) {
          written += system.lowRank().write().at(m, d) * z[m - from];
        }
        gained += decay * written;
        decay *= system.lambda().at(m, d, j);
      }
      column[d] = decay * column[d] + gained;
    }
  }
}
