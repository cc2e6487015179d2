package io.attention4j.engine.recurrent;

/**
 * A linear, structured, time-varying system over one head:
 *
 * <pre>
 * S_t = Lambda_t S_{t-1} + write_t (read_t^T S_{t-1}) + B_t u_t
 * y_t = C_t S_t + D_t u_t
 * </pre>
 *
 * <p>S [stateDim, valueDim] is the state, u_t [valueDim] the input. Lambda_t scales S element by
 * element, (B_t u_t)[i, j] = B_t[i, j] u_t[j], (C_t S)[j] = sum_i C_t[i, j] S[i, j] and D_t scales
 * u_t column by column; the rank-one part is optional. Immutable as long as nobody writes to its
 * arrays.
 *
 * @param stateDim rows of the state, at least 1: the state expansion n of the paper
 * @param lambda decay; factors, not their logarithms
 * @param lowRank rank-one part of the transition, or null; then lambda must not vary by column
 * @param b input factors
 * @param u inputs [tokens, valueDim]
 * @param c read-out factors
 * @param d feed-through factors, without a row axis, or null for none
 * @see <a href="https://arxiv.org/abs/2405.15731">Understanding the differences in foundation
 *     models: attention, state space models, and recurrent neural networks</a>
 */
public record DynamicalSystem(
    int stateDim,
    Coefficient lambda,
    LowRank lowRank,
    Coefficient b,
    Rows u,
    Coefficient c,
    Coefficient d) {
  /** Checks that every extent fits; names those that do not. */
  public DynamicalSystem {
    if (stateDim < 1) {
      throw new IllegalArgumentException("stateDim " + stateDim + " must be at least 1");
    }
    requireFits("lambda", lambda, u, stateDim);
    requireFits("B", b, u, stateDim);
    requireFits("C", c, u, stateDim);
    if (d != null) {
      requireFits("D", d, u, 1);
    }
    if (lowRank != null) {
      requireRows("read", lowRank.read(), u, stateDim);
      requireRows("write", lowRank.write(), u, stateDim);
      if (lambda.valueDim() != 1) {
        throw new IllegalArgumentException(
            "a rank-one transition mixes rows of the state, so lambda "
                + lambda
                + " must not vary by column");
      }
    }
  }

  /** Number of tokens. */
  public int tokens() {
    return u.tokens();
  }

  /** Columns of the state, elements of an input and of an output. */
  public int valueDim() {
    return u.width();
  }

  /** An empty state, [stateDim, valueDim] zeros. */
  public double[] newState() {
    return new double[stateDim * valueDim()];
  }

  /** The tokens [from, to); what came before is in the state that it then runs on. */
  public DynamicalSystem slice(int from, int to) {
    return new DynamicalSystem(
        stateDim,
        lambda.slice(from, to),
        lowRank == null ? null : lowRank.slice(from, to),
        b.slice(from, to),
        u.slice(from, to),
        c.slice(from, to),
        d == null ? null : d.slice(from, to));
  }

  /** Whether any factor differs between the columns of the state. */
  boolean variesByColumn() {
    return lambda.valueDim() != 1 || b.valueDim() != 1 || c.valueDim() != 1;
  }

  /** D_t u_t, column j. */
  double feedThrough(int t, int j) {
    return d == null ? 0 : d.at(t, 0, j) * u.at(t, j);
  }

  /** Requires a state of this system. */
  void requireState(double[] state) {
    if (state.length != stateDim * valueDim()) {
      throw new IllegalArgumentException(
          "the state has "
              + state.length
              + " elements but the system needs "
              + stateDim
              + " x "
              + valueDim());
    }
  }

  private static void requireFits(String name, Coefficient coefficient, Rows u, int stateDim) {
    boolean fits =
        (coefficient.tokens() == 1 || coefficient.tokens() == u.tokens())
            && (coefficient.stateDim() == 1 || coefficient.stateDim() == stateDim)
            && (coefficient.valueDim() == 1 || coefficient.valueDim() == u.width());
    if (!fits) {
      throw new IllegalArgumentException(
          name
              + " is "
              + coefficient
              + " but the system is ["
              + u.tokens()
              + ", "
              + stateDim
              + ", "
              + u.width()
              + "] (tokens, stateDim, valueDim); every extent must be 1 or equal");
    }
  }

  private static void requireRows(String name, Rows rows, Rows u, int stateDim) {
    if (rows.tokens() != u.tokens() || rows.width() != stateDim) {
      throw new IllegalArgumentException(
          name + " is " + rows + " but must be [" + u.tokens() + ", " + stateDim + "]");
    }
  }
}
