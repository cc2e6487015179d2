package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.recurrent.SigmoidAttention;

/** Causal {@link SigmoidAttention} as a layer; the state is the keys and values. */
public final class SigmoidLayer implements SequenceLayer {
  private final AttentionWeights weights;
  private final SigmoidAttention attention;

  /**
   * A layer.
   *
   * @param bias added to every score; it belongs to the weights
   */
  public SigmoidLayer(AttentionWeights weights, double bias) {
    this.weights = weights;
    this.attention = new SigmoidAttention(weights.scale(), bias);
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
    return new long[] {tokens * weights.k().out(), tokens * weights.v().out()};
  }

  @Override
  public Rows run(Rows hidden, Rows embeddings, SequenceState state) {
    Rows q = weights.q().apply(hidden);
    Rows k = state.append(0, weights.k().apply(hidden));
    Rows v = state.append(1, weights.v().apply(hidden));
    int heads = weights.heads();
    Rows y = new Rows(new double[hidden.tokens() * v.width()], v.width());
    for (int h = 0; h < heads; h++) {
      Rows ofHead =
          attention.run(
              AttentionWeights.head(q, h, heads),
              AttentionWeights.head(k, h, heads),
              AttentionWeights.head(v, h, heads),
              true);
      AttentionWeights.setHead(y, h, heads, ofHead);
    }
    state.advance(hidden.tokens());
    return weights.o().apply(y);
  }
}
