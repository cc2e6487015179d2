package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.recurrent.Rows;
import java.util.Arrays;

/**
 * What a layer knows of one sequence: the number of tokens and some arrays, whose meaning is the
 * layer's. Not thread-safe.
 */
public class SequenceState {
  private final double[][] parts;
  private long tokens;

  /** The state of an empty sequence; the arrays are kept. */
  SequenceState(double[]... parts) {
    this.parts = parts;
  }

  /** Tokens seen. */
  public final long tokens() {
    return tokens;
  }

  /** Numbers held. */
  public final long elements() {
    return Arrays.stream(parts).mapToLong(part -> part.length).sum();
  }

  /**
   * Becomes a copy of another state of the same layer.
   *
   * @throws IllegalArgumentException if the other is of another kind of layer
   */
  public final void set(SequenceState other) {
    if (other.parts.length != parts.length) {
      throw new IllegalArgumentException(
          "a state of " + other.parts.length + " arrays is not one of " + parts.length);
    }
    tokens = other.tokens;
    for (int i = 0; i < parts.length; i++) {
      assign(i, other.parts[i]);
    }
  }

  /** A copy of the arrays, for saving. */
  public final double[][] values() {
    return Arrays.stream(parts).map(double[]::clone).toArray(double[][]::new);
  }

  /**
   * Becomes what {@link #values} gave of a state of the same layer after as many tokens.
   *
   * @throws IllegalArgumentException if there are more or fewer arrays
   */
  public final void set(long seen, double[][] values) {
    if (values.length != parts.length) {
      throw new IllegalArgumentException(
          "a state of " + values.length + " arrays is not one of " + parts.length);
    }
    tokens = seen;
    for (int i = 0; i < parts.length; i++) {
      assign(i, values[i]);
    }
  }

  /** In place where the length allows, since a layer may hold the array. */
  private void assign(int i, double[] values) {
    if (parts[i].length == values.length) {
      System.arraycopy(values, 0, parts[i], 0, values.length);
    } else {
      parts[i] = values.clone();
    }
  }

  final double[] part(int i) {
    return parts[i];
  }

  /** Counts tokens. */
  final void advance(int count) {
    tokens += count;
  }

  /** Appends rows to an array of rows; returns all of them, not copied. */
  final Rows append(int i, Rows rows) {
    double[] joined = Arrays.copyOf(parts[i], parts[i].length + rows.values().length);
    System.arraycopy(rows.values(), 0, joined, parts[i].length, rows.values().length);
    parts[i] = joined;
    return new Rows(joined, rows.width());
  }

  /** Drops all but the last rows of an array of rows. */
  final void keepLast(int i, int width, int count) {
    long excess = parts[i].length - (long) count * width;
    if (excess > 0) {
      parts[i] = Arrays.copyOfRange(parts[i], (int) excess, parts[i].length);
    }
  }

  /** Removes rows of an array of rows, as many as there are of so many from the first on. */
  final void dropRows(int i, int width, int first, int count) {
    int from = first * width;
    int to = Math.min(from + count * width, parts[i].length);
    if (to > from) {
      double[] kept = new double[parts[i].length - (to - from)];
      System.arraycopy(parts[i], 0, kept, 0, from);
      System.arraycopy(parts[i], to, kept, from, parts[i].length - to);
      parts[i] = kept;
    }
  }
}
