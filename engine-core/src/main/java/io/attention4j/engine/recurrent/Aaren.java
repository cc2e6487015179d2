package io.attention4j.engine.recurrent;

import io.attention4j.engine.attention.SoftmaxState;

/**
 * Attention as an RNN (Feng et al. 2024, arXiv 2405.13956): softmax attention of one query, learned
 * and not computed from the tokens, over a growing set of keys. The state is (m, u, w), {@link
 * SoftmaxState}, of constant size; many-to-one attends once over all tokens, many-to-many gives the
 * output of every prefix. In the framework this is {@link NormalizedLinearAttention} with
 * infinitely many features, which a fixed query makes finite again: e^score is a single one.
 *
 * <p>Everywhere: query [keyDim], k [tokens, keyDim], v [tokens, valueDim], scores scale q^T k.
 */
public final class Aaren {
  private Aaren() {}

  /**
   * Folds blocks of tokens into the state, each block attended as a whole: 1 is the recurrence, all
   * tokens are ordinary attention. Memory grows with the block, not with the tokens.
   *
   * @param state of what came before; of all tokens on return
   * @param block tokens per block, at least 1
   */
  public static void manyToOne(
      double[] query, Rows k, Rows v, double scale, SoftmaxState state, int block) {
    if (block < 1) {
      throw new IllegalArgumentException("a block of " + block + " tokens; it needs at least 1");
    }
    double[] scores = scores(query, k, v, scale);
    SoftmaxState leaf = new SoftmaxState(v.width());
    SoftmaxState part = new SoftmaxState(v.width());
    for (int from = 0; from < scores.length; from += block) {
      int to = from + Math.min(block, scores.length - from);
      part.clear();
      for (int t = from; t < to; t++) {
        part.combine(leaf.set(scores[t], v.values(), t * v.width()));
      }
      state.combine(part);
    }
  }

  /**
   * The outputs of every prefix, token by token.
   *
   * @param state of what came before; of all tokens on return
   * @return [tokens, valueDim]
   */
  public static Rows recurrent(double[] query, Rows k, Rows v, double scale, SoftmaxState state) {
    double[] scores = scores(query, k, v, scale);
    SoftmaxState leaf = new SoftmaxState(v.width());
    double[] y = new double[scores.length * v.width()];
    for (int t = 0; t < scores.length; t++) {
      state.combine(leaf.set(scores[t], v.values(), t * v.width()));
      write(state, y, t);
    }
    return new Rows(y, v.width());
  }

  /**
   * The outputs of every prefix by the parallel scan of Hillis and Steele: after the pass with step
   * s every token holds its last 2s tokens, so ceil(log2 tokens) passes suffice, each of whose
   * combinations are independent.
   *
   * @return [tokens, valueDim]
   */
  public static Rows parallelScan(double[] query, Rows k, Rows v, double scale) {
    double[] scores = scores(query, k, v, scale);
    SoftmaxState[] current = new SoftmaxState[scores.length];
    SoftmaxState[] next = new SoftmaxState[scores.length];
    for (int t = 0; t < scores.length; t++) {
      current[t] = new SoftmaxState(v.width()).set(scores[t], v.values(), t * v.width());
      next[t] = new SoftmaxState(v.width());
    }
    for (int step = 1; step < scores.length; step *= 2) {
      for (int t = 0; t < scores.length; t++) {
        if (t < step) {
          next[t].set(current[t]);
        } else {
          next[t].set(current[t - step]).combine(current[t]);
        }
      }
      SoftmaxState[] swap = current;
      current = next;
      next = swap;
    }
    double[] y = new double[scores.length * v.width()];
    for (int t = 0; t < scores.length; t++) {
      write(current[t], y, t);
    }
    return new Rows(y, v.width());
  }

  /**
   * The outputs of every prefix with work that does not grow faster than the tokens: chunks are
   * scanned independently, then each is combined with the carry of those before it.
   *
   * @param state of what came before; of all tokens on return
   * @param chunk tokens per chunk, at least 1
   * @return [tokens, valueDim]
   */
  public static Rows chunkedScan(
      double[] query, Rows k, Rows v, double scale, SoftmaxState state, int chunk) {
    if (chunk < 1) {
      throw new IllegalArgumentException("a chunk of " + chunk + " tokens; it needs at least 1");
    }
    double[] scores = scores(query, k, v, scale);
    double[] y = new double[scores.length * v.width()];
    SoftmaxState leaf = new SoftmaxState(v.width());
    SoftmaxState inside = new SoftmaxState(v.width());
    SoftmaxState prefix = new SoftmaxState(v.width());
    for (int from = 0; from < scores.length; from += chunk) {
      int to = from + Math.min(chunk, scores.length - from);
      inside.clear();
      for (int t = from; t < to; t++) {
        inside.combine(leaf.set(scores[t], v.values(), t * v.width()));
        write(prefix.set(state).combine(inside), y, t);
      }
      state.combine(inside);
    }
    return new Rows(y, v.width());
  }

  private static void write(SoftmaxState state, double[] y, int t) {
    for (int d = 0; d < state.valueDim(); d++) {
      y[t * state.valueDim() + d] = state.output(d);
    }
  }

  private static double[] scores(double[] query, Rows k, Rows v, double scale) {
    if (k.width() != query.length || k.tokens() != v.tokens()) {
      throw new IllegalArgumentException(
          "keys "
              + k
              + " and values "
              + v
              + " do not fit a query of "
              + query.length
              + " elements and each other");
    }
    double[] scores = new double[k.tokens()];
    for (int t = 0; t < scores.length; t++) {
      for (int i = 0; i < query.length; i++) {
        scores[t] += query[i] * k.at(t, i);
      }
      scores[t] *= scale;
    }
    return scores;
  }
}
