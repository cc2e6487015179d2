package io.attention4j.engine.recurrent;

import java.util.Arrays;

/**
 * A diagonal, time-varying coefficient of a system: one factor per element of the state [stateDim,
 * valueDim] and token. An extent of 1 holds for the whole axis, so a decay per head, per key
 * dimension and per element are the same thing.
 *
 * @param tokens 1 or the number of tokens
 * @param stateDim 1 or the state's rows
 * @param valueDim 1 or the state's columns
 * @param values [tokens, stateDim, valueDim], row-major; not copied
 */
public record Coefficient(int tokens, int stateDim, int valueDim, double[] values) {
  /** Checks the number of values. */
  public Coefficient {
    long expected = (long) tokens * stateDim * valueDim;
    if (tokens < 0 || stateDim < 1 || valueDim < 1 || values.length != expected) {
      throw new IllegalArgumentException(
          "a coefficient ["
              + tokens
              + ", "
              + stateDim
              + ", "
              + valueDim
              + "] needs "
              + expected
              + " values, not "
              + values.length);
    }
  }

  /** The same factor everywhere and always. */
  public static Coefficient constant(double value) {
    return new Coefficient(1, 1, 1, new double[] {value});
  }

  /** One factor per token and row of the state; rows of width 1 give one per token. */
  public static Coefficient perRow(Rows rows) {
    return new Coefficient(rows.tokens(), rows.width(), 1, rows.values());
  }

  /** One factor per token and column of the state. */
  public static Coefficient perColumn(Rows rows) {
    return new Coefficient(rows.tokens(), 1, rows.width(), rows.values());
  }

  /** One factor per token and element: the outer product of a row factor and a column factor. */
  public static Coefficient outer(Rows row, Rows column) {
    if (row.tokens() != column.tokens()) {
      throw new IllegalArgumentException(
          "rows " + row + " and " + column + " must have as many tokens");
    }
    double[] values = new double[row.values().length * column.width()];
    for (int i = 0; i < values.length; i++) {
      int t = i / (row.width() * column.width());
      values[i] = row.values()[i / column.width()] * column.at(t, i % column.width());
    }
    return new Coefficient(row.tokens(), row.width(), column.width(), values);
  }

  /** The factor of element (i, j) at token t. */
  public double at(int t, int i, int j) {
    int token = tokens == 1 ? 0 : t;
    int row = stateDim == 1 ? 0 : i;
    int column = valueDim == 1 ? 0 : j;
    return values[(token * stateDim + row) * valueDim + column];
  }

  /** The coefficient of tokens [from, to) of a sequence. */
  public Coefficient slice(int from, int to) {
    if (tokens == 1) {
      return this;
    }
    int size = stateDim * valueDim;
    return new Coefficient(
        to - from, stateDim, valueDim, Arrays.copyOfRange(values, from * size, to * size));
  }

  @Override
  public String toString() {
    return "[" + tokens + ", " + stateDim + ", " + valueDim + "]";
  }
}
