package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.recurrent.Rows;

/**
 * Causal softmax attention over all tokens or a window of them: the standard layer of
 * "Deconstructing Attention" (arXiv 2510.11602), and with keys from the embeddings its StaticEmbQK,
 * whose weights of all layers follow from the tokens alone. The state is the keys and values, with
 * a window those of its tokens only.
 */
public final class SoftmaxLayer implements SequenceLayer {
  /** What queries and keys are computed from; values are always of the hidden state. */
  public enum Source {
    /** The hidden state. */
    HIDDEN,
    /** The embeddings that the stack was given. */
    EMBEDDINGS
  }

  private final AttentionWeights weights;
  private final Source source;
  private final int windowTokens;

  /**
   * A layer.
   *
   * @param windowTokens keys that a token sees, its own included; {@link Integer#MAX_VALUE} for all
   */
  public SoftmaxLayer(AttentionWeights weights, Source source, int windowTokens) {
    if (windowTokens < 1) {
      throw new IllegalArgumentException(
          "a window of " + windowTokens + " tokens; it needs at least 1, the token itself");
    }
    this.weights = weights;
    this.source = source;
    this.windowTokens = windowTokens;
  }

  /** Over all tokens, with queries and keys of the hidden state. */
  public static SoftmaxLayer standard(AttentionWeights weights) {
    return new SoftmaxLayer(weights, Source.HIDDEN, Integer.MAX_VALUE);
  }

  AttentionWeights weights() {
    return weights;
  }

  boolean isStandard() {
    return source == Source.HIDDEN && windowTokens == Integer.MAX_VALUE;
  }

  @Override
  public int width() {
    return weights.width();
  }

  @Override
  public SequenceState newState() {
    return new SequenceState(new double[0], new double[0]);
  }

  @Override
  public long[] lengths(long tokens) {
    long kept = Math.min(tokens, windowTokens - 1L);
    return new long[] {kept * weights.k().out(), kept * weights.v().out()};
  }

  @Override
  public Rows run(Rows hidden, Rows embeddings, SequenceState state) {
    Rows asked = source == Source.HIDDEN ? hidden : embeddings;
    Rows k = state.append(0, weights.k().apply(asked));
    Rows v = state.append(1, weights.v().apply(hidden));
    int past = k.tokens() - hidden.tokens();
    Rows y =
        HeadAttention.softmax(
            weights.q().apply(asked),
            k,
            v,
            weights.heads(),
            weights.scale(),
            (row, key) -> key <= past + row && past + row - key < windowTokens);
    state.keepLast(0, k.width(), windowTokens - 1);
    state.keepLast(1, v.width(), windowTokens - 1);
    state.advance(hidden.tokens());
    return weights.o().apply(y);
  }
}
