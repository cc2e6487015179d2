package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.recurrent.memory.MemoryInputs;
import io.attention4j.engine.recurrent.memory.MemoryState;
import io.attention4j.engine.recurrent.memory.OnlineMemory;

/**
 * Any {@link OnlineMemory} as a layer without convolutions and norms: projections of the hidden
 * state, one memory per head, an output projection. The state is the memories.
 */
public final class MemoryLayer implements SequenceLayer {
  /** The gates of a head. */
  @FunctionalInterface
  public interface Gating {
    /**
     * The inputs of the next tokens.
     *
     * @param hidden [tokens, width], for gates
     * @param head from 0
     * @param q [tokens, keyDim], scaled
     * @param k [tokens, keyDim]
     * @param v [tokens, valueDim]
     */
    MemoryInputs inputs(Rows hidden, int head, Rows q, Rows k, Rows v);
  }

  private final AttentionWeights weights;
  private final OnlineMemory memory;
  private final double[] initial;
  private final Gating gating;

  /**
   * A layer whose heads start from the same memory.
   *
   * @param initial weights of the memory before the first token
   */
  public MemoryLayer(
      AttentionWeights weights, OnlineMemory memory, double[] initial, Gating gating) {
    if (memory.network().keyDim() != weights.keyDim()
        || memory.network().valueDim() != weights.valueDim()) {
      throw new IllegalArgumentException(
          "a memory of widths "
              + memory.network().widths()
              + " does not fit keys of "
              + weights.keyDim()
              + " and values of "
              + weights.valueDim()
              + " elements");
    }
    memory.newState(initial);
    this.weights = weights;
    this.memory = memory;
    this.initial = initial.clone();
    this.gating = gating;
  }

  @Override
  public int width() {
    return weights.width();
  }

  @Override
  public SequenceState newState() {
    MemoryState[] heads = new MemoryState[weights.heads()];
    for (int h = 0; h < heads.length; h++) {
      heads[h] = memory.newState(initial);
    }
    return new MemoryParts(heads);
  }

  @Override
  public Rows run(Rows hidden, Rows embeddings, SequenceState state) {
    int heads = weights.heads();
    Rows q = weights.q().apply(hidden).scaled(weights.scale());
    Rows k = weights.k().apply(hidden);
    Rows v = weights.v().apply(hidden);
    Rows y = new Rows(new double[v.values().length], v.width());
    for (int h = 0; h < heads; h++) {
      MemoryInputs in =
          gating.inputs(
              hidden,
              h,
              AttentionWeights.head(q, h, heads),
              AttentionWeights.head(k, h, heads),
              AttentionWeights.head(v, h, heads));
      MemoryState ofHead = ((MemoryParts) state).head(h, (int) (state.tokens() % memory.chunk()));
      AttentionWeights.setHead(y, h, heads, memory.recurrent(in, ofHead));
    }
    state.advance(hidden.tokens());
    return weights.o().apply(y);
  }
}
