package io.attention4j.sparse;

import io.attention4j.engine.operator.WeightFiles;
import io.attention4j.engine.operator.WeightSource;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;

/** Files of weights in memory. */
final class TestWeights implements WeightFiles {
  private final Map<String, Map<String, Tensor>> files = new HashMap<>();

  /**
   * Random gates of layer 1 of {@link OperatorRun}: in the file {@code gates}, and in {@code
   * unbiased} those that score no token.
   */
  static TestWeights gates() {
    int heads = OperatorRun.QUERY_HEADS;
    int kvHeads = OperatorRun.KV_HEADS;
    int dim = OperatorRun.HEAD_DIM;
    String layer = "model.layers.1.self_attn.";
    return new TestWeights()
        .withRandom("gates", layer + "attn_gate.mask_linear_k.weight", heads, 3L * dim, dim)
        .withRandom("gates", layer + "attn_gate.attngate_linear_q.weight", kvHeads, 2, dim, dim)
        .withRandom("gates", layer + "attn_gate.attngate_linear_k.weight", kvHeads, 3L * dim, dim)
        .withRandom("gates", layer + "attn_gate.attngate_qnorm.weight", dim)
        .withRandom("gates", layer + "attn_gate.attngate_knorm.weight", dim)
        .withRandom("gates", layer + "A", kvHeads)
        .withRandom("gates", layer + "delta.weight", kvHeads, (long) kvHeads * dim)
        .with("unbiased", layer + "A", new float[kvHeads], kvHeads)
        .withRandom("unbiased", layer + "delta.weight", kvHeads, (long) kvHeads * dim);
  }

  /** Puts a weight in a file. */
  TestWeights with(String path, String name, float[] values, long... extents) {
    files
        .computeIfAbsent(path, p -> new HashMap<>())
        .put(name, Tensor.ofFloats(Arena.ofAuto(), values, extents));
    return this;
  }

  /** Takes a weight out of a file. */
  void without(String path, String name) {
    files.get(path).remove(name);
  }

  /** Puts a weight of random numbers in a file. */
  TestWeights withRandom(String path, String name, long... extents) {
    SplittableRandom random = new SplittableRandom(name.hashCode());
    int count = 1;
    for (long extent : extents) {
      count *= (int) extent;
    }
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextDouble(-1, 1);
    }
    return with(path, name, values, extents);
  }

  @Override
  public WeightSource open(String path) {
    return name -> Optional.ofNullable(files.getOrDefault(path, Map.of()).get(name));
  }

  @Override
  public void update(String path, Map<String, Tensor> tensors) {
    tensors.forEach(
        (name, tensor) -> with(path, name, tensor.toFloats(), tensor.shape().extents()));
  }

  /** Elements of a weight. */
  float[] floats(String path, String name) {
    return files.get(path).get(name).toFloats();
  }
}
