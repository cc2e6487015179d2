package io.attention4j.engine.recurrent;

import io.attention4j.engine.attention.SoftmaxState;

/**
 * LAMA, low-rank bilinear attention with a global context (Mehta et al. 2019, arXiv 1912.00835):
 * pools a sequence into one vector per head. One context c asks all tokens, by a bilinear form of
 * rank one per head, c^T p_h q_h^T x_t:
 *
 * <pre>
 * Z = tanh((P^T c) * (Q^T X^T)), each token's column divided by its norm      [heads, tokens]
 * A = softmax over tokens of Z,   E = A X                                     [heads, dim]
 * </pre>
 *
 * <p>Without positions: permuting tokens permutes A and leaves E. With a learned context a head's
 * scores do not depend on other tokens, so {@link #scan} is {@link Aaren} on them, causal and of
 * constant state (max, sum, weighted sum); with the mean as context it is neither.
 *
 * @param p [dim, heads]
 * @param q [dim, heads]
 * @param context learned context [1, dim], or null for the mean of the unmasked tokens
 * @param normalized whether columns are divided by their norm; with one head that leaves signs only
 */
public record Lama(Rows p, Rows q, Rows context, boolean normalized) {
  /** Below this a count of tokens would divide by zero. */
  private static final double LEAST_COUNT = 1e-9;

  /** The pooled sequence. */
  public record Pooled(Rows weights, Rows embedding) {}

  /** Checks that the shapes fit. */
  public Lama {
    boolean fits =
        p.tokens() == q.tokens()
            && p.width() == q.width()
            && (context == null || context.tokens() == 1 && context.width() == p.tokens());
    if (!fits) {
      throw new IllegalArgumentException(
          "P "
              + p
              + " and Q "
              + q
              + " must both be [dim, heads] and the context [1, dim], not "
              + context);
    }
    if (normalized && p.width() == 1) {
      throw new IllegalArgumentException(
          "one head whose scores are normalised over heads has scores of 1 and -1 only; use more"
              + " heads or no normalisation");
    }
  }

  /** Number of heads. */
  public int heads() {
    return p.width();
  }

  /**
   * Pools the tokens that are kept.
   *
   * @param x [tokens, dim]
   * @param kept which tokens count, or null for all; a sequence without any gives weights and
   *     embeddings of 0
   * @return A [heads, tokens], whose rows sum to 1, and E [heads, dim]
   */
  public Pooled pool(Rows x, boolean[] kept) {
    requireTokens(x, kept);
    Rows z = scores(x, context == null ? mean(x, kept) : context);
    double[] weights = new double[heads() * x.tokens()];
    double[] embedding = new double[heads() * x.width()];
    SoftmaxState state = new SoftmaxState(x.width());
    SoftmaxState leaf = new SoftmaxState(x.width());
    for (int h = 0; h < heads(); h++) {
      state.clear();
      for (int t = 0; t < x.tokens(); t++) {
        state.combine(leaf.set(score(z, h, t, kept), x.values(), t * x.width()));
      }
      for (int t = 0; t < x.tokens() && state.sum() > 0; t++) {
        weights[h * x.tokens() + t] = Math.exp(score(z, h, t, kept) - state.lse());
      }
      for (int d = 0; d < x.width(); d++) {
        embedding[h * x.width() + d] = state.output(d);
      }
    }
    return new Pooled(new Rows(weights, x.tokens()), new Rows(embedding, x.width()));
  }

  /** A new scan's states, one per head. */
  public SoftmaxState[] newStates() {
    SoftmaxState[] states = new SoftmaxState[heads()];
    for (int h = 0; h < states.length; h++) {
      states[h] = new SoftmaxState(p.tokens());
    }
    return states;
  }

  /**
   * The embedding of every prefix, causally.
   *
   * @param x [tokens, dim]
   * @param states of what came before; of all tokens on return
   * @return [tokens, heads * dim]
   * @throws IllegalStateException if the context is the mean, which every token changes
   */
  public Rows scan(Rows x, SoftmaxState[] states) {
    if (context == null) {
      throw new IllegalStateException(
          "with the mean as context every token changes all scores; a scan needs a learned one");
    }
    requireTokens(x, null);
    Rows z = scores(x, context);
    double[] y = new double[x.tokens() * heads() * x.width()];
    SoftmaxState leaf = new SoftmaxState(x.width());
    int at = 0;
    for (int t = 0; t < x.tokens(); t++) {
      for (int h = 0; h < heads(); h++) {
        states[h].combine(leaf.set(z.at(t, h), x.values(), t * x.width()));
        for (int d = 0; d < x.width(); d++) {
          y[at++] = states[h].output(d);
        }
      }
    }
    return new Rows(y, heads() * x.width());
  }

  private void requireTokens(Rows x, boolean[] kept) {
    if (x.width() != p.tokens() || kept != null && kept.length != x.tokens()) {
      throw new IllegalArgumentException(
          "tokens "
              + x
              + " do not fit P "
              + p
              + (kept == null ? "" : " and a mask of " + kept.length));
    }
  }

  private static double score(Rows z, int head, int t, boolean[] kept) {
    return kept == null || kept[t] ? z.at(t, head) : Double.NEGATIVE_INFINITY;
  }

  private static Rows mean(Rows x, boolean[] kept) {
    double[] mean = new double[x.width()];
    double count = 0;
    for (int t = 0; t < x.tokens(); t++) {
      if (kept == null || kept[t]) {
        count++;
        for (int d = 0; d < mean.length; d++) {
          mean[d] += x.at(t, d);
        }
      }
    }
    double tokens = Math.max(count, LEAST_COUNT);
    return new Rows(mean, mean.length).map(value -> value / tokens);
  }

  /**
   * Z transposed: the scores of tokens before their softmax, [tokens, heads].
   *
   * @param x [tokens, dim]
   */
  public Rows scores(Rows x) {
    if (context == null) {
      throw new IllegalStateException(
          "with the mean as context every token changes all scores; a scan needs a learned one");
    }
    requireTokens(x, null);
    return scores(x, context);
  }

  Rows scores(Rows x, Rows c) {
    double[] z = new double[x.tokens() * heads()];
    for (int t = 0; t < x.tokens(); t++) {
      double squares = 0;
      for (int h = 0; h < heads(); h++) {
        double ofContext = 0;
        double ofToken = 0;
        for (int d = 0; d < x.width(); d++) {
          ofContext += p.at(d, h) * c.at(0, d);
          ofToken += q.at(d, h) * x.at(t, d);
        }
        z[t * heads() + h] = Math.tanh(ofContext * ofToken);
        squares += z[t * heads() + h] * z[t * heads() + h];
      }
      // A token whose scores are all 0 keeps them; the norm would make them NaN.
      for (int h = 0; h < heads() && normalized && squares > 0; h++) {
        z[t * heads() + h] /= Math.sqrt(squares);
      }
    }
    return new Rows(z, heads());
  }
}
