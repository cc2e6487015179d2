package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.recurrent.Gates;
import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.recurrent.memory.Memora;
import io.attention4j.engine.recurrent.memory.MemoryInputs;
import io.attention4j.engine.recurrent.memory.MemoryNetwork;
import io.attention4j.engine.recurrent.memory.MemoryState;
import io.attention4j.engine.recurrent.memory.Moneta;
import io.attention4j.engine.recurrent.memory.OnlineMemory;
import io.attention4j.engine.recurrent.memory.Yaad;
import java.util.Arrays;

/**
 * The layer of Miras (Behrouz et al. 2025, arXiv 2504.13173): q, k and v are a projection and a
 * convolution of four taps, q and k of unit length per head; retention and step come per channel
 * from maps of low rank; what the memory answers is normalised, gated and projected. The memory of
 * a head is x + LN(W_1 gelu(W_2 x)) with four hidden elements per element. State of constant size.
 *
 * <p>[R]: retention is a sigmoid, step and threshold are a softplus, the threshold one per head;
 * the output is rms-normed and gated by sigmoid(x W_G).
 */
public final class MirasLayer implements SequenceLayer {
  /** Which memory. */
  public enum Kind {
    /** p = 3, q = 4, as printed. */
    MONETA,
    /** With the threshold as printed. */
    YAAD,
    /** Rows as distributions. */
    MEMORA
  }

  private static final int TAPS = 4;
  private static final int EXPANSION = 4;

  private final int width;
  private final int heads;
  private final OnlineMemory memory;
  private final Projection[] maps = new Projection[3];
  private final CausalConv[] convs = new CausalConv[3];
  private final LowRankMap retention;
  private final LowRankMap step;
  private final LowRankMap threshold;
  private final double[] norm;
  private final Projection gate;
  private final Projection output;
  private final double[][] initial;

  /** x down up + bias. */
  private record LowRankMap(Projection down, Projection up) {
    static LowRankMap load(LayerWeights weights, int width, int rank, int out) {
      return new LowRankMap(
          weights.projection("down", width, rank),
          new Projection(weights.rows("up", rank, out), weights.values("bias", out)));
    }

    Rows apply(Rows x) {
      return up.apply(down.apply(x));
    }
  }

  /**
   * A layer of loaded weights: W_Q, W_K, W_V, W_O, W_G [width, width], conv [3, width, 4], norm
   * [width]; alpha.down [width, rank], alpha.up [rank, width], alpha.bias [width], the same of eta;
   * Yaad: delta.down, delta.up [rank, heads], delta.bias [heads]; M_init [heads, parameters], for
   * Memora logits, of which each row's softmax is taken.
   *
   * @param rank of the gates' maps; 32 or 64 in the paper
   * @param chunk tokens whose gradients are taken at the same weights: a parameter of the model
   * @throws IllegalArgumentException if a weight is missing or does not fit; names it
   */
  public MirasLayer(Kind kind, int width, int heads, int rank, int chunk, LayerWeights weights) {
    if (heads < 1 || width < 1 || width % heads != 0 || rank < 1) {
      throw new IllegalArgumentException(
          "a width of "
              + width
              + " must be divisible by its "
              + heads
              + " heads, and the rank of "
              + rank
              + " at least 1");
    }
    this.width = width;
    this.heads = heads;
    MemoryNetwork network = MemoryNetwork.mlp(width / heads, 2, EXPANSION, true);
    memory =
        switch (kind) {
          case MONETA ->
              new Moneta(network, chunk, 3, 4, Moneta.MirrorMap.PRINTED, Moneta.ErrorSign.HARD);
          case YAAD -> new Yaad(network, chunk, Yaad.Outlier.SIGN);
          case MEMORA -> new Memora(network, chunk);
        };
    String[] names = {"W_Q", "W_K", "W_V"};
    double[] conv = weights.values("conv", 3, width, TAPS);
    for (int i = 0; i < 3; i++) {
      maps[i] = weights.projection(names[i], width, width);
      double[] filter = Arrays.copyOfRange(conv, i * width * TAPS, (i + 1) * width * TAPS);
      convs[i] = new CausalConv(new Rows(filter, TAPS), null);
    }
    retention = LowRankMap.load(weights.under("alpha"), width, rank, width);
    step = LowRankMap.load(weights.under("eta"), width, rank, width);
    threshold =
        kind == Kind.YAAD ? LowRankMap.load(weights.under("delta"), width, rank, heads) : null;
    norm = weights.values("norm", width);
    gate = weights.projection("W_G", width, width);
    output = weights.projection("W_O", width, width);
    initial = new double[heads][];
    double[] all = weights.values("M_init", heads, network.parameters());
    for (int h = 0; h < heads; h++) {
      int size = network.parameters();
      double[] ofHead = Arrays.copyOfRange(all, h * size, (h + 1) * size);
      initial[h] = kind == Kind.MEMORA ? distributions(ofHead) : ofHead;
    }
    newState();
  }

  /** The softmax of every row of both matrices. */
  private double[] distributions(double[] logits) {
    double[] weights = logits.clone();
    int dim = width / heads;
    int at = 0;
    for (int row = 0; at < weights.length; row++) {
      int columns = row < EXPANSION * dim ? dim : EXPANSION * dim;
      double max = Arrays.stream(weights, at, at + columns).max().orElseThrow();
      double sum = 0;
      for (int i = at; i < at + columns; i++) {
        weights[i] = Math.exp(weights[i] - max);
        sum += weights[i];
      }
      for (int i = at; i < at + columns; i++) {
        weights[i] /= sum;
      }
      at += columns;
    }
    return weights;
  }

  @Override
  public int width() {
    return width;
  }

  @Override
  public SequenceState newState() {
    MemoryState[] states = Arrays.stream(initial).map(memory::newState).toArray(MemoryState[]::new);
    return new MemoryParts(states, convs[0].newTail(), convs[1].newTail(), convs[2].newTail());
  }

  @Override
  public Rows run(Rows hidden, Rows embeddings, SequenceState state) {
    Rows q = unit(convs[0].run(maps[0].apply(hidden), state.part(0)));
    Rows k = unit(convs[1].run(maps[1].apply(hidden), state.part(1)));
    Rows v = convs[2].run(maps[2].apply(hidden), state.part(2));
    Rows kept = retention.apply(hidden).map(Gates::sigmoid);
    Rows steps = step.apply(hidden).map(Gates::softplus);
    Rows thresholds = threshold == null ? null : threshold.apply(hidden).map(Gates::softplus);
    Rows y = new Rows(new double[hidden.values().length], width);
    for (int h = 0; h < heads; h++) {
      MemoryInputs in =
          new MemoryInputs(
              AttentionWeights.head(q, h, heads),
              AttentionWeights.head(k, h, heads),
              AttentionWeights.head(v, h, heads),
              AttentionWeights.head(kept, h, heads),
              AttentionWeights.head(steps, h, heads),
              thresholds == null ? null : AttentionWeights.head(thresholds, h, heads));
      MemoryState ofHead = ((MemoryParts) state).head(h, (int) (state.tokens() % memory.chunk()));
      AttentionWeights.setHead(y, h, heads, memory.recurrent(in, ofHead));
    }
    state.advance(hidden.tokens());
    Rows gates = gate.apply(hidden).map(Gates::sigmoid);
    return output.apply(TitansLayer.normed(y, norm).times(gates));
  }

  private Rows unit(Rows x) {
    return AttentionWeights.unitHeads(x, heads);
  }
}
