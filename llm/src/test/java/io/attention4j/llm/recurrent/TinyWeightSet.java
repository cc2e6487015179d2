package io.attention4j.llm.recurrent;

import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.gguf.GgufWriter;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;

/** Random F32 weights by GGUF name, for a reference to read and a file to hold. */
final class TinyWeightSet {
  static final int VOCABULARY = 257;

  private final SplittableRandom random;
  private final Map<String, float[]> values = new LinkedHashMap<>();
  private final Map<String, long[]> shapes = new LinkedHashMap<>();

  TinyWeightSet(long seed) {
    random = new SplittableRandom(seed);
  }

  /** Uniform weights around a mean. */
  void add(String name, double mean, double reach, long... shape) {
    int count = 1;
    for (long extent : shape) {
      count *= (int) extent;
    }
    float[] drawn = new float[count];
    for (int i = 0; i < count; i++) {
      drawn[i] = (float) (mean + reach * (2 * random.nextDouble() - 1));
    }
    values.put(name, drawn);
    shapes.put(name, shape);
  }

  double[] get(String name) {
    float[] stored = values.get(name);
    double[] wide = new double[stored.length];
    for (int i = 0; i < wide.length; i++) {
      wide[i] = stored[i];
    }
    return wide;
  }

  /** W x for a matrix [out, in]. */
  double[] product(String name, double[] x) {
    double[] matrix = get(name);
    double[] out = new double[matrix.length / x.length];
    for (int o = 0; o < out.length; o++) {
      for (int i = 0; i < x.length; i++) {
        out[o] += matrix[o * x.length + i] * x[i];
      }
    }
    return out;
  }

  double[] row(String name, int index, int width) {
    double[] row = new double[width];
    System.arraycopy(get(name), index * width, row, 0, width);
    return row;
  }

  /** The file, with a vocabulary of one token per byte behind a control token. */
  Path write(GgufWriter writer, Path file) throws IOException {
    List<String> tokens = new ArrayList<>(List.of("<s>"));
    int[] types = new int[VOCABULARY];
    types[0] = 3;
    for (int value = 0; value < 256; value++) {
      tokens.add(String.format(Locale.ROOT, "\\x%02x", value));
      types[value + 1] = 1;
    }
    writer
        .string("tokenizer.ggml.model", "rwkv")
        .strings("tokenizer.ggml.tokens", tokens)
        .int32s("tokenizer.ggml.token_type", types)
        .uint32("tokenizer.ggml.eos_token_id", 0);
    try (Arena arena = Arena.ofConfined()) {
      values.forEach(
          (name, data) -> writer.tensor(name, Tensor.ofFloats(arena, data, shapes.get(name))));
      writer.write(file);
    }
    return file;
  }
}
