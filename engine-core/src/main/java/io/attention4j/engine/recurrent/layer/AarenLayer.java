package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.attention.SoftmaxState;
import io.attention4j.engine.recurrent.Aaren;
import io.attention4j.engine.recurrent.Rows;
import java.util.Arrays;

/**
 * {@link Aaren} as a layer: every prefix of the tokens attended by a learned query, which W_Q and
 * W_K make one vector per head, a_h = W_K_h W_Q_h^T token, when the layer is built. State per head:
 * the log of the sum and the mean.
 */
public final class AarenLayer implements SequenceLayer {
  private final AttentionWeights weights;
  private final double[][] folded;

  /**
   * A layer.
   *
   * @param token the learned query token, [1, width]
   */
  public AarenLayer(AttentionWeights weights, Rows token) {
    this.weights = weights;
    Rows q = weights.q().apply(token);
    int keyDim = weights.keyDim();
    folded = new double[weights.heads()][weights.width()];
    for (int h = 0; h < folded.length; h++) {
      for (int i = 0; i < weights.width(); i++) {
        for (int d = h * keyDim; d < (h + 1) * keyDim; d++) {
          folded[h][i] += weights.k().weight().at(i, d) * q.at(0, d);
        }
      }
    }
  }

  @Override
  public int width() {
    return weights.width();
  }

  @Override
  public SequenceState newState() {
    double[] lse = new double[weights.heads()];
    Arrays.fill(lse, Double.NEGATIVE_INFINITY);
    return new SequenceState(lse, new double[weights.v().out()]);
  }

  @Override
  public Rows run(Rows hidden, Rows embeddings, SequenceState state) {
    Rows v = weights.v().apply(hidden);
    Rows y = new Rows(new double[v.values().length], v.width());
    int valueDim = weights.valueDim();
    SoftmaxState prefix = new SoftmaxState(valueDim);
    for (int h = 0; h < folded.length; h++) {
      prefix.set(state.part(0)[h], state.part(1), h * valueDim);
      Rows ofHead = AttentionWeights.head(v, h, folded.length);
      AttentionWeights.setHead(
          y, h, folded.length, Aaren.recurrent(folded[h], hidden, ofHead, weights.scale(), prefix));
      state.part(0)[h] = prefix.lse();
      for (int d = 0; d < valueDim; d++) {
        state.part(1)[h * valueDim + d] = prefix.output(d);
      }
    }
    state.advance(hidden.tokens());
    return weights.o().apply(y);
  }
}
