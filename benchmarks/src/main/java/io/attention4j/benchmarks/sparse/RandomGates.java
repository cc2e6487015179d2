package io.attention4j.benchmarks.sparse;

import io.attention4j.engine.operator.WeightFiles;
import io.attention4j.engine.operator.WeightSource;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * Gates of layer 0 that nobody trained, in the file {@code random}: normal numbers that keep the
 * variance of what they project. They cost what trained ones cost and choose no better than chance.
 */
final class RandomGates implements WeightFiles {
  private static final String FILE = "random";
  private static final long SEED = 11;

  private final Map<String, Tensor> weights = new HashMap<>();
  private final SplittableRandom random = new SplittableRandom(SEED);

  RandomGates(int queryHeads, int kvHeads, int headDim) {
    String layer = "model.layers.0.self_attn.";
    String gate = layer + "attn_gate.";
    int group = queryHeads / kvHeads;
    add(gate + "mask_linear_k.weight", 3 * headDim, queryHeads, 3L * headDim, headDim);
    add(gate + "attngate_linear_q.weight", group * headDim, kvHeads, group, headDim, headDim);
    add(gate + "attngate_linear_k.weight", 3 * headDim, kvHeads, 3L * headDim, headDim);
    add(layer + "A", 1, kvHeads);
    add(layer + "delta.weight", kvHeads * headDim, kvHeads, (long) kvHeads * headDim);
  }

  private void add(String name, int inputs, long... extents) {
    int count = 1;
    for (long extent : extents) {
      count = Math.multiplyExact(count, (int) extent);
    }
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) (random.nextGaussian() / Math.sqrt(inputs));
    }
    weights.put(name, Tensor.ofFloats(Arena.ofAuto(), values, extents));
  }

  @Override
  public WeightSource open(String path) {
    if (!path.equals(FILE)) {
      throw new IllegalArgumentException(
          "gates come from gate=" + FILE + " here, not from " + path);
    }
    return name -> Optional.ofNullable(weights.get(name));
  }

  @Override
  public void update(String path, Map<String, Tensor> tensors) {
    throw new IllegalArgumentException("nothing is learned here, so " + path + " is not written");
  }
}
