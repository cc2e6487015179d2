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

  /** Puts a weight in a file. */
  TestWeights with(String path, String name, float[] values, long... extents) {
    files
        .computeIfAbsent(path, p -> new HashMap<>())
        .put(name, Tensor.ofFloats(Arena.ofAuto(), values, extents));
    return this;
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
