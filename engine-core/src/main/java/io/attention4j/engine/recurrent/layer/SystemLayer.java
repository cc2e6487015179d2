package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.recurrent.ChunkedScan;
import io.attention4j.engine.recurrent.DynamicalSystem;
import io.attention4j.engine.recurrent.Rows;

/**
 * Any {@link DynamicalSystem} as a layer: projections of the hidden state, one system per head, an
 * output projection. What a mixer adds is only its coefficients. The state is [stateDim, valueDim]
 * per head.
 */
public final class SystemLayer implements SequenceLayer {
  /** The coefficients of a head; a function of these tokens alone, so no ratio of past sums. */
  @FunctionalInterface
  public interface Mixer {
    /**
     * The system of the next tokens.
     *
     * @param hidden [tokens, width], for gates
     * @param head from 0
     * @param q [tokens, keyDim], scaled
     * @param k [tokens, keyDim]
     * @param v [tokens, valueDim]
     */
    DynamicalSystem system(Rows hidden, int head, Rows q, Rows k, Rows v);
  }

  private static final int CHUNK = 64;

  private final AttentionWeights weights;
  private final Mixer mixer;
  private final int stateElements;

  /** A layer. */
  public SystemLayer(AttentionWeights weights, Mixer mixer) {
    this.weights = weights;
    this.mixer = mixer;
    Rows nothing = new Rows(new double[0], weights.width());
    stateElements = system(nothing, 0).newState().length;
  }

  @Override
  public int width() {
    return weights.width();
  }

  @Override
  public SequenceState newState() {
    return new SequenceState(new double[weights.heads()][stateElements]);
  }

  private DynamicalSystem system(Rows hidden, int head) {
    int heads = weights.heads();
    return mixer.system(
        hidden,
        head,
        AttentionWeights.head(weights.q().apply(hidden), head, heads).scaled(weights.scale()),
        AttentionWeights.head(weights.k().apply(hidden), head, heads),
        AttentionWeights.head(weights.v().apply(hidden), head, heads));
  }

  @Override
  public Rows run(Rows hidden, Rows embeddings, SequenceState state) {
    int heads = weights.heads();
    double[] values = new double[hidden.tokens() * weights.v().out()];
    Rows y = new Rows(values, weights.v().out());
    for (int h = 0; h < heads; h++) {
      Rows ofHead = ChunkedScan.run(system(hidden, h), state.part(h), CHUNK);
      AttentionWeights.setHead(y, h, heads, ofHead);
    }
    state.advance(hidden.tokens());
    return weights.o().apply(y);
  }
}
