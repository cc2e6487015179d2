package io.attention4j.llm.golden;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.llm.gguf.GgufWriter;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.SplittableRandom;

/**
 * A GGUF file of one architecture with F32 weights drawn from a seed. Values come from uniform
 * numbers by sums, products and square roots alone, so every JVM writes the same bytes.
 */
final class TinyModelWriter {
  private static final ValueLayout.OfFloat LITTLE_ENDIAN_FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final GgufWriter writer = new GgufWriter();
  private final String architecture;
  private final SplittableRandom random;

  TinyModelWriter(String architecture, long seed) {
    this.architecture = architecture;
    this.random = new SplittableRandom(seed);
    writer.string("general.architecture", architecture);
  }

  /** Adds an integer setting of the architecture. */
  TinyModelWriter setting(String key, int value) {
    writer.uint32(architecture + "." + key, value);
    return this;
  }

  /** Adds a real setting of the architecture. */
  TinyModelWriter setting(String key, double value) {
    writer.float32(architecture + "." + key, (float) value);
    return this;
  }

  /** Adds a text setting of the architecture. */
  TinyModelWriter setting(String key, String value) {
    writer.string(architecture + "." + key, value);
    return this;
  }

  /** Adds the vocabulary. */
  TinyModelWriter vocabulary(TinyVocabulary vocabulary) {
    vocabulary.addTo(writer);
    return this;
  }

  /** A matrix whose products with vectors of unit variance have this standard deviation. */
  TinyModelWriter matrix(String name, int rows, int columns, double gain) {
    return add(name, uniform(rows * columns, 0, gain / Math.sqrt(columns)), rows, columns);
  }

  /** Rows of this standard deviation. */
  TinyModelWriter rows(String name, int rows, int columns, double deviation) {
    return add(name, uniform(rows * columns, 0, deviation), rows, columns);
  }

  /** Weights of a norm, a fifth around their mean. */
  TinyModelWriter norm(String name, int size, double mean) {
    return add(name, uniform(size, mean, 0.2 * mean), size);
  }

  /** A bias of this standard deviation. */
  TinyModelWriter bias(String name, int size, double deviation) {
    return add(name, uniform(size, 0, deviation), size);
  }

  /** Values as they are. */
  TinyModelWriter vector(String name, float... values) {
    return add(name, values, values.length);
  }

  /** Writes the file. */
  void write(Path file) throws IOException {
    writer.write(file);
  }

  private float[] uniform(int count, double mean, double deviation) {
    double reach = Math.sqrt(3) * deviation;
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) (mean + reach * (2 * random.nextDouble() - 1));
    }
    return values;
  }

  private TinyModelWriter add(String name, float[] values, long... shape) {
    writer.tensor(
        name,
        DType.F32,
        Shape.of(shape),
        sink -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(4L * values.length, 4);
            for (int i = 0; i < values.length; i++) {
              bytes.set(LITTLE_ENDIAN_FLOAT, 4L * i, values[i]);
            }
            sink.accept(bytes);
          }
        });
    return this;
  }
}
