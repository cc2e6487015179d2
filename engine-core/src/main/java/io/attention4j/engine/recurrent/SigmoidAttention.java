package io.attention4j.engine.recurrent;

/**
 * Sigmoid attention (Ramapuram et al. 2024, arXiv 2409.04431): every score becomes a weight of its
 * own, y_i = sum_j sigmoid(scale q_i^T k_j - slope |i - j| + bias) v_j over visible j. There is no
 * normaliser, so results over disjoint keys add up in any order, and a token that sees nothing is
 * 0. Its state is the keys and values, not of constant size: what it shares with recurrences is
 * that a step adds to a plain sum, where softmax needs {@link
 * io.attention4j.engine.attention.SoftmaxState}. The reference of the flash kernels whose spec has
 * {@link io.attention4j.engine.attention.Normalizer.Sigmoid}.
 *
 * <p>The bias belongs to the checkpoint (the paper trains with -ln of the training length) and must
 * not follow the live length. Adding a number to all scores changes the result, so ALiBi's offset
 * counts in full.
 *
 * @param scale factor of q^T k; finite
 * @param bias added to every score; finite
 * @param slope of ALiBi, at least 0; 0 for none
 * @param windowTokens keys that a token sees, its own included; {@link Integer#MAX_VALUE} for all
 */
public record SigmoidAttention(double scale, double bias, double slope, int windowTokens) {
  /** Checks the ranges. */
  public SigmoidAttention {
    if (!Double.isFinite(scale) || !Double.isFinite(bias) || !(slope >= 0) || windowTokens < 1) {
      throw new IllegalArgumentException(
          "sigmoid attention needs a finite scale and bias, a slope of at least 0 and a window of"
              + " at least 1 token, not scale "
              + scale
              + ", bias "
              + bias
              + ", slope "
              + slope
              + " and window "
              + windowTokens);
    }
  }

  /** Without ALiBi and window. */
  public SigmoidAttention(double scale, double bias) {
    this(scale, bias, 0, Integer.MAX_VALUE);
  }

  /**
   * Adds the part of some keys to the outputs; the shards of a cache may come in any order.
   *
   * @param q [queries, keyDim]
   * @param firstQuery position of the first query
   * @param k keys of consecutive positions, [keys, keyDim]
   * @param v [keys, valueDim]
   * @param firstKey position of the first of them
   * @param causal whether a query sees only keys up to its own position
   * @param sum [queries, valueDim], zeros at first
   */
  public void add(Rows q, int firstQuery, Rows k, Rows v, int firstKey, boolean causal, Rows sum) {
    boolean fits =
        q.width() == k.width()
            && k.tokens() == v.tokens()
            && sum.tokens() == q.tokens()
            && sum.width() == v.width();
    if (!fits) {
      throw new IllegalArgumentException(
          "queries " + q + ", keys " + k + ", values " + v + " and sums " + sum + " do not fit");
    }
    for (int i = 0; i < q.tokens(); i++) {
      for (int j = 0; j < k.tokens(); j++) {
        long distance = (long) firstQuery + i - firstKey - j;
        if (causal && distance < 0 || Math.abs(distance) >= windowTokens) {
          continue;
        }
        double score = 0;
        for (int d = 0; d < q.width(); d++) {
          score += q.at(i, d) * k.at(j, d);
        }
        // The logistic function in two branches: the tanh form would lose the small weights.
        double weight = Gates.sigmoid(scale * score - slope * Math.abs(distance) + bias);
        for (int d = 0; d < v.width(); d++) {
          sum.values()[i * v.width() + d] += weight * v.at(j, d);
        }
      }
    }
  }

  /** All queries over all keys of one sequence, the last query at the last key's position. */
  public Rows run(Rows q, Rows k, Rows v, boolean causal) {
    Rows sum = new Rows(new double[q.tokens() * v.width()], v.width());
    add(q, k.tokens() - q.tokens(), k, v, 0, causal, sum);
    return sum;
  }
}
