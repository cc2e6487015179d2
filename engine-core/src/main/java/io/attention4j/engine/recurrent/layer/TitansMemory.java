package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.recurrent.Gates;
import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.recurrent.memory.MemoryInputs;
import io.attention4j.engine.recurrent.memory.MemoryNetwork;
import io.attention4j.engine.recurrent.memory.MemoryState;
import io.attention4j.engine.recurrent.memory.Titans;
import java.util.Arrays;

/**
 * The memory of a Titans layer: queries, keys and values are a projection, a convolution of four
 * taps, SiLU and, for queries and keys, the unit norm per head; forgetting, momentum and step are
 * sigmoids, one per head and token. Weights: W_Q, W_K, W_V [width, width]; conv [3, width, 4] (q,
 * k, v); w_alpha, w_eta, w_theta [width, heads] and b_alpha, b_eta, b_theta [heads]; M_init [heads,
 * parameters of a head's network].
 */
final class TitansMemory {
  private static final int TAPS = 4;

  private final TitansSettings settings;
  private final Titans memory;
  private final Projection[] maps = new Projection[3];
  private final CausalConv[] convs = new CausalConv[3];
  private final Projection forget;
  private final Projection momentum;
  private final Projection step;
  private final double[][] initial;

  TitansMemory(TitansSettings settings, LayerWeights weights) {
    this.settings = settings;
    int dim = settings.headDim();
    MemoryNetwork network =
        MemoryNetwork.mlp(dim, settings.depth(), settings.expansion(), settings.residual());
    this.memory = new Titans(network, settings.chunk());
    String[] names = {"W_Q", "W_K", "W_V"};
    int width = settings.width();
    double[] conv = weights.values("conv", 3, width, TAPS);
    for (int i = 0; i < 3; i++) {
      maps[i] = weights.projection(names[i], width, width);
      double[] filter = Arrays.copyOfRange(conv, i * width * TAPS, (i + 1) * width * TAPS);
      convs[i] = new CausalConv(new Rows(filter, TAPS), null);
    }
    forget = gate(weights, "alpha");
    momentum = gate(weights, "eta");
    step = gate(weights, "theta");
    initial = new double[settings.heads()][];
    double[] all = weights.values("M_init", settings.heads(), network.parameters());
    for (int h = 0; h < initial.length; h++) {
      int size = network.parameters();
      initial[h] = Arrays.copyOfRange(all, h * size, (h + 1) * size);
    }
  }

  private Projection gate(LayerWeights weights, String name) {
    return new Projection(
        weights.rows("w_" + name, settings.width(), settings.heads()),
        weights.values("b_" + name, settings.heads()));
  }

  MemoryState[] newHeads() {
    return Arrays.stream(initial).map(memory::newState).toArray(MemoryState[]::new);
  }

  /** What the convolutions of q, k and v saw last. */
  double[][] newTails() {
    return new double[][] {convs[0].newTail(), convs[1].newTail(), convs[2].newTail()};
  }

  /** Learns rows and answers them, [tokens, width]. */
  Rows learn(Rows x, MemoryState[] heads, double[]... tails) {
    Rows q = asked(x, tails[0]);
    Rows k = unit(projected(1, x, tails[1]));
    Rows v = projected(2, x, tails[2]);
    Rows retention = forget.apply(x).map(z -> Gates.sigmoid(-z));
    Rows kept = momentum.apply(x).map(Gates::sigmoid);
    Rows steps = step.apply(x).map(z -> settings.maxStep() * Gates.sigmoid(z));
    Rows y = new Rows(new double[x.values().length], x.width());
    for (int h = 0; h < heads.length; h++) {
      MemoryInputs in =
          new MemoryInputs(
              AttentionWeights.head(q, h, heads.length),
              AttentionWeights.head(k, h, heads.length),
              AttentionWeights.head(v, h, heads.length),
              AttentionWeights.head(retention, h, heads.length),
              AttentionWeights.head(steps, h, heads.length),
              AttentionWeights.head(kept, h, heads.length));
      AttentionWeights.setHead(y, h, heads.length, memory.chunked(in, heads[h]));
    }
    return y;
  }

  /** Asks without learning, [tokens, width]; the tail is that of the queries' convolution. */
  Rows read(Rows x, MemoryState[] heads, double[] tail) {
    Rows q = asked(x, tail);
    Rows y = new Rows(new double[x.values().length], x.width());
    for (int h = 0; h < heads.length; h++) {
      Rows ofHead = memory.read(AttentionWeights.head(q, h, heads.length), heads[h]);
      AttentionWeights.setHead(y, h, heads.length, ofHead);
    }
    return y;
  }

  private Rows asked(Rows x, double[] tail) {
    return unit(projected(0, x, tail));
  }

  private Rows projected(int which, Rows x, double[] tail) {
    return convs[which].run(maps[which].apply(x), tail).map(Gates::silu);
  }

  private Rows unit(Rows x) {
    return AttentionWeights.unitHeads(x, settings.heads());
  }
}
