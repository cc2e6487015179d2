package io.attention4j.engine.attention;

import java.util.Arrays;

/**
 * Softmax attention of one query over a set of keys, as a state that can be merged: the maximum
 * score m, the sum u of e^(score - m) and the sum w of e^(score - m) value. Sets combine by an
 * associative, commutative rule whose neutral element is the empty set (-inf, 0, 0). The same rule
 * folds one token into a recurrence, merges blocks, scans prefixes ("Attention as an RNN", Feng et
 * al. 2024, arXiv 2405.13956) and merges split KV ranges, those of a kernel's partial results and
 * those of outputs ({@link OnlineSoftmax}): (out, lse) is the state (lse, 1, out).
 *
 * <p>m is free: (m + c, u e^-c, w e^-c) is the same state, so compare {@link #lse} and outputs, not
 * u. Mutable, not thread-safe.
 */
public final class SoftmaxState {
  private final double[] weighted;
  private double max = Double.NEGATIVE_INFINITY;
  private double sum;

  /** The empty set. */
  public SoftmaxState(int valueDim) {
    weighted = new double[valueDim];
  }

  /**
   * Becomes the set of one key: (score, 1, value); -inf is a hidden key and gives the empty set.
   */
  public SoftmaxState set(double score, double[] values, int offset) {
    boolean empty = score == Double.NEGATIVE_INFINITY;
    max = score;
    sum = empty ? 0 : 1;
    for (int d = 0; d < weighted.length; d++) {
      weighted[d] = empty ? 0 : values[offset + d];
    }
    return this;
  }

  /** Becomes (m, u, w) with w from an array; u = 0 gives the empty set, whatever m and w are. */
  public SoftmaxState set(double m, double u, double[] w, int offset) {
    if (u == 0) {
      clear();
      return this;
    }
    max = m;
    sum = u;
    System.arraycopy(w, offset, weighted, 0, weighted.length);
    return this;
  }

  /** Writes w, the sum of e^(score - m) value, to an array. */
  public void weighted(double[] target, int offset) {
    System.arraycopy(weighted, 0, target, offset, weighted.length);
  }

  /** Becomes a copy of another state of the same valueDim. */
  public SoftmaxState set(SoftmaxState other) {
    max = other.max;
    sum = other.sum;
    System.arraycopy(other.weighted, 0, weighted, 0, weighted.length);
    return this;
  }

  /** Becomes the union of itself and a disjoint set. Allocates nothing. */
  public SoftmaxState combine(SoftmaxState other) {
    double total = Math.max(max, other.max);
    double mine = share(max, total, 1);
    double others = share(other.max, total, 1);
    max = total;
    sum = mine * sum + others * other.sum;
    for (int d = 0; d < weighted.length; d++) {
      weighted[d] = mine * weighted[d] + others * other.weighted[d];
    }
    return this;
  }

  /**
   * {@link #combine(SoftmaxState)} for states in rows of f32 arrays, where kernels keep the partial
   * results of split KV ranges: row {@code into} becomes its union with row {@code from}. A NaN of
   * either stays one. Allocates nothing; safe on disjoint rows.
   *
   * @param max m of each row
   * @param sum u of each row
   * @param weighted w of each row, [rows, valueDim]
   * @param nats natural units of one unit of m: 1, or ln 2 where m is of powers of two
   */
  public static void combine(
      float[] max, float[] sum, float[] weighted, int valueDim, int into, int from, double nats) {
    if (sum[from] == 0) {
      return; // NaN is no empty set and goes on
    }
    float total = Math.max(max[into], max[from]);
    float mine = (float) share(max[into], total, nats);
    float others = (float) share(max[from], total, nats);
    max[into] = total;
    sum[into] = mine * sum[into] + others * sum[from];
    int to = into * valueDim;
    int other = from * valueDim;
    for (int d = 0; d < valueDim; d++) {
      weighted[to + d] = mine * weighted[to + d] + others * weighted[other + d];
    }
  }

  /** e^(part - total); 0 for an empty part, also of an empty total, where it would be NaN. */
  private static double share(double part, double total, double nats) {
    return part == Double.NEGATIVE_INFINITY ? 0 : Math.exp((part - total) * nats);
  }

  /** Becomes empty. */
  public void clear() {
    max = Double.NEGATIVE_INFINITY;
    sum = 0;
    Arrays.fill(weighted, 0);
  }

  /** m, the largest score; -inf if empty. */
  public double max() {
    return max;
  }

  /** u, the sum of e^(score - m). */
  public double sum() {
    return sum;
  }

  /** Elements of a value. */
  public int valueDim() {
    return weighted.length;
  }

  /** The log of the sum of exponentiated scores, m + ln u; -inf if empty. */
  public double lse() {
    return max == Double.NEGATIVE_INFINITY ? max : max + Math.log(sum);
  }

  /** Element d of the attention's output, w / u; 0 if empty. */
  public double output(int d) {
    return max == Double.NEGATIVE_INFINITY ? 0 : weighted[d] / sum;
  }
}
