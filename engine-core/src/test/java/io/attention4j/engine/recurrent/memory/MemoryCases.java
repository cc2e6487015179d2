package io.attention4j.engine.recurrent.memory;

import io.attention4j.engine.recurrent.Cases;
import io.attention4j.engine.recurrent.Gates;
import io.attention4j.engine.recurrent.Rows;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** The specs' inputs of memories, sin(1.3 n + seed), and memories by name. */
final class MemoryCases {
  static final MemoryNetwork LINEAR = MemoryNetwork.linear(Cases.KEY_DIM, Cases.VALUE_DIM);
  static final MemoryNetwork MLP = MemoryNetwork.mlp(Cases.KEY_DIM, 2, 2, false);
  static final MemoryNetwork RESIDUAL = MemoryNetwork.mlp(Cases.KEY_DIM, 2, 2, true);

  private MemoryCases() {}

  static Rows retention(int tokens) {
    return Cases.wave(0.5, tokens, 1).map(x -> 1 - Gates.sigmoid(x - 2));
  }

  static Rows step(int tokens) {
    return Cases.wave(0.7, tokens, 1).map(x -> 0.1 * Gates.sigmoid(x));
  }

  static Rows momentum(int tokens) {
    return Cases.wave(0.6, tokens, 1).map(Gates::sigmoid);
  }

  static Rows constant(double value, int tokens, int width) {
    return Cases.wave(0, tokens, width).map(x -> value);
  }

  /** Unit queries and keys of the memory's width. */
  static MemoryInputs inputs(OnlineMemory memory, int tokens) {
    Rows gate =
        switch (memory) {
          case Titans _ -> momentum(tokens);
          case Yaad _ -> constant(0.8, tokens, 1);
          case Moneta _, Memora _ -> null;
        };
    MemoryNetwork network = memory.network();
    return new MemoryInputs(
        Cases.wave(0.1, tokens, network.keyDim()).l2Normalized(),
        Cases.wave(0.2, tokens, network.keyDim()).l2Normalized(),
        Cases.wave(0.3, tokens, network.valueDim()),
        retention(tokens),
        step(tokens),
        gate);
  }

  /** Gates per channel where the memory takes them. */
  static MemoryInputs perChannel(OnlineMemory memory, int tokens) {
    MemoryInputs in = inputs(memory, tokens);
    int width = memory.network().valueDim();
    return new MemoryInputs(
        in.q(),
        in.k(),
        in.v(),
        Cases.wave(0.5, tokens, width).map(x -> 1 - Gates.sigmoid(x - 2)),
        Cases.wave(0.7, tokens, width).map(x -> 0.1 * Gates.sigmoid(x)),
        in.gate());
  }

  /** Initial weights: 0.5 T(.05), or 1 / columns for Memora. */
  static double[] initial(OnlineMemory memory) {
    MemoryNetwork network = memory.network();
    double[] weights = Cases.wave(0.05, network.parameters(), 1).scaled(0.5).values();
    for (int m = 0; memory instanceof Memora && m < network.depth(); m++) {
      Arrays.fill(weights, network.offset(m), network.offset(m + 1), 1.0 / network.columns(m));
    }
    return weights;
  }

  static MemoryState start(OnlineMemory memory) {
    return memory.newState(initial(memory));
  }

  static Moneta moneta(MemoryNetwork network, int chunk, double p, double q) {
    return new Moneta(network, chunk, p, q, Moneta.MirrorMap.PRINTED, Moneta.ErrorSign.HARD);
  }

  /** Every memory on every network, with chunks of 1 and 5. */
  static Map<String, OnlineMemory> all() {
    Map<String, OnlineMemory> all = new LinkedHashMap<>();
    Map<String, MemoryNetwork> networks =
        Map.of(
            "linear",
            LINEAR,
            "mlp",
            MLP,
            "residual",
            RESIDUAL,
            "deep",
            MemoryNetwork.mlp(Cases.KEY_DIM, 3, 2, true));
    networks.forEach(
        (name, network) -> {
          for (int chunk : new int[] {1, 5}) {
            String where = name + " in chunks of " + chunk;
            all.put("titans " + where, new Titans(network, chunk));
            all.put("moneta " + where, moneta(network, chunk, 3, 4));
            all.put(
                "moneta exact, smooth " + where,
                new Moneta(network, chunk, 3, 4, Moneta.MirrorMap.EXACT, Moneta.ErrorSign.SMOOTH));
            for (Yaad.Outlier outlier : Yaad.Outlier.values()) {
              all.put("yaad " + outlier + " " + where, new Yaad(network, chunk, outlier));
            }
            all.put("memora " + where, new Memora(network, chunk));
          }
        });
    return all;
  }
}
