package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.operator.WeightSource;
import io.attention4j.engine.recurrent.Cases;
import io.attention4j.engine.recurrent.GatedDeltaNet;
import io.attention4j.engine.recurrent.Gates;
import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.recurrent.memory.Memora;
import io.attention4j.engine.recurrent.memory.MemoryInputs;
import io.attention4j.engine.recurrent.memory.MemoryNetwork;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/** Layers of every kind, 8 wide with two heads, and weights by name. */
final class LayerCases {
  static final int WIDTH = 8;
  static final int HEADS = 2;
  static final int MAX_TOKENS = 32;

  private LayerCases() {}

  static Rows tokens(int count) {
    return Cases.wave(0.15, count, WIDTH);
  }

  static Projection projection(double seed, int in, int out) {
    return new Projection(Cases.wave(seed, in, out).scaled(1 / Math.sqrt(in)));
  }

  static AttentionWeights attention(double seed) {
    return new AttentionWeights(
        HEADS,
        projection(seed, WIDTH, WIDTH),
        projection(seed + 0.1, WIDTH, WIDTH),
        projection(seed + 0.2, WIDTH, WIDTH),
        projection(seed + 0.3, WIDTH, WIDTH),
        1 / Math.sqrt(WIDTH / (double) HEADS));
  }

  static Map<String, SequenceLayer> all() {
    Map<String, SequenceLayer> all = new LinkedHashMap<>();
    AttentionWeights weights = attention(0.3);
    all.put("standard", SoftmaxLayer.standard(weights));
    all.put("window", new SoftmaxLayer(weights, SoftmaxLayer.Source.HIDDEN, 3));
    all.put(
        "static embeddings",
        new SoftmaxLayer(weights, SoftmaxLayer.Source.EMBEDDINGS, Integer.MAX_VALUE));
    all.put("sigmoid", new SigmoidLayer(weights, -2));
    all.put(
        "mlp",
        new MlpLayer(
            projection(0.4, WIDTH, 12), projection(0.5, WIDTH, 12), projection(0.6, 12, WIDTH)));
    all.put("non-approximate", new NonApproximateLayer(weights));
    all.put(
        "approximate", new ApproximateLayer(weights, ApproximateLayer.Denominator.COMMON, 1e-12));
    all.put(
        "approximate per order",
        new ApproximateLayer(weights, ApproximateLayer.Denominator.PER_ORDER, 0));
    all.put("fixed map", new FixedMapLayer(weights, Cases.wave(0.9, MAX_TOKENS, WIDTH)));
    all.put("base conv", new BaseConvLayer(Cases.wave(0.7, WIDTH, 3), projection(1, WIDTH, WIDTH)));
    all.put("aaren", new AarenLayer(weights, Cases.wave(0.9, 1, WIDTH)));
    Projection gates = projection(0.8, WIDTH, HEADS);
    all.put(
        "gated deltanet",
        new SystemLayer(
            weights,
            (hidden, head, q, k, v) -> {
              Rows gate = AttentionWeights.head(gates.apply(hidden), head, HEADS);
              return GatedDeltaNet.system(
                  q, k, v, gate.map(Gates::sigmoid), gate.map(Gates::logSigmoid), 1);
            }));
    all.put(
        "memora",
        new MemoryLayer(
            weights,
            new Memora(MemoryNetwork.linear(4, 4), 5),
            Cases.wave(0, 16, 1).map(x -> 0.25).values(),
            (hidden, head, q, k, v) -> {
              Rows gate = AttentionWeights.head(gates.apply(hidden), head, HEADS);
              Rows retention = gate.map(Gates::sigmoid);
              return new MemoryInputs(q, k, v, retention, retention.scaled(0.1), null);
            }));
    all.put(
        "metamixer",
        new MetaMixerLayer(
            projection(0.4, WIDTH, WIDTH),
            Cases.wave(0.7, WIDTH, 3),
            null,
            Cases.wave(0.8, WIDTH, 5),
            null));
    Map<String, long[]> quasi =
        Map.of(
            "W_in", new long[] {WIDTH, 4 * WIDTH},
            "conv", new long[] {2 * WIDTH, 4},
            "conv_b", new long[] {2 * WIDTH},
            "W_g", new long[] {2 * WIDTH, 6 * WIDTH},
            "W_out", new long[] {2 * WIDTH, WIDTH});
    LayerWeights quasiWeights = new LayerWeights(source(Arena.ofAuto(), quasi), "");
    all.put("qlstm", new QuasiLstmLayer(quasiWeights, WIDTH, OptionalDouble.empty()));
    all.put("qlstm reversed", new QuasiLstmLayer(quasiWeights, WIDTH, OptionalDouble.of(1.7)));
    all.putAll(MemoryLayerCases.all());
    return all;
  }

  /** Weights that a file could hold; each name has its shape. */
  static WeightSource source(Arena arena, Map<String, long[]> shapes) {
    Map<String, Tensor> tensors = new HashMap<>();
    shapes.forEach(
        (name, extents) -> {
          int size = 1;
          for (long extent : extents) {
            size *= (int) extent;
          }
          double[] wave = Cases.wave(name.hashCode() % 100, size, 1).scaled(0.4).values();
          float[] floats = new float[size];
          for (int i = 0; i < size; i++) {
            floats[i] = (float) wave[i];
          }
          tensors.put(name, Tensor.ofFloats(arena, floats, extents));
        });
    return name -> Optional.ofNullable(tensors.get(name));
  }
}
