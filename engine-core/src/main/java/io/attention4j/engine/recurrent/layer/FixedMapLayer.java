package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.recurrent.Rows;

/**
 * Attention whose weights do not depend on the tokens: queries and keys come from a fixed sequence,
 * random embeddings (RndEmbQK) or one text (FixedSeqQK), only values from the hidden state
 * ("Deconstructing Attention", arXiv 2510.11602). The map is computed once; since rows are causal
 * its part for a shorter sequence is its top left corner. The state is the values: no keys.
 */
public final class FixedMapLayer implements SequenceLayer {
  private final AttentionWeights weights;
  private final int maxTokens;
  private final double[][] maps;

  /**
   * A layer for sequences up to the length of the fixed one.
   *
   * @param fixed what the fixed sequence is at this layer, [maxTokens, width]; see {@link
   *     LayerStack#withFixedMaps}
   */
  public FixedMapLayer(AttentionWeights weights, Rows fixed) {
    this.weights = weights;
    this.maxTokens = fixed.tokens();
    this.maps = new double[weights.heads()][];
    Rows q = weights.q().apply(fixed);
    Rows k = weights.k().apply(fixed);
    double[] identity = new double[maxTokens * maxTokens];
    for (int t = 0; t < maxTokens; t++) {
      identity[t * maxTokens + t] = 1;
    }
    Rows units = new Rows(identity, Math.max(maxTokens, 1));
    for (int h = 0; h < maps.length; h++) {
      // Attention over unit vectors as values is its own weights.
      maps[h] =
          HeadAttention.softmax(
                  AttentionWeights.head(q, h, maps.length),
                  AttentionWeights.head(k, h, maps.length),
                  units,
                  1,
                  weights.scale(),
                  (row, key) -> key <= row)
              .values();
    }
  }

  /** The weights of a head, [maxTokens, maxTokens], lower triangular; a copy. */
  public double[] map(int head) {
    return maps[head].clone();
  }

  @Override
  public int width() {
    return weights.width();
  }

  @Override
  public SequenceState newState() {
    return new SequenceState(new double[0]);
  }

  @Override
  public long[] lengths(long tokens) {
    return new long[] {tokens * weights.v().out()};
  }

  @Override
  public Rows run(Rows hidden, Rows embeddings, SequenceState state) {
    int past = Math.toIntExact(state.tokens());
    if (hidden.tokens() > maxTokens - past) {
      throw new IllegalArgumentException(
          "a sequence of "
              + ((long) past + hidden.tokens())
              + " tokens is longer than the fixed one, "
              + maxTokens
              + "; compute the maps from a longer one");
    }
    Rows v = state.append(0, weights.v().apply(hidden));
    int valueDim = weights.valueDim();
    double[] y = new double[hidden.tokens() * v.width()];
    for (int t = 0; t < hidden.tokens(); t++) {
      for (int j = 0; j <= past + t; j++) {
        for (int c = 0; c < v.width(); c++) {
          y[t * v.width() + c] += maps[c / valueDim][(past + t) * maxTokens + j] * v.at(j, c);
        }
      }
    }
    state.advance(hidden.tokens());
    return weights.o().apply(new Rows(y, v.width()));
  }
}
