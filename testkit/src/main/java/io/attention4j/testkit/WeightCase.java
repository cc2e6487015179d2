package io.attention4j.testkit;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.RowCodec;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Random weight matrices of any type that weights come in. */
final class WeightCase {
  /** Types of weights: plain floats and all GGML block formats. */
  static final DType[] TYPES = {
    DType.F32,
    DType.F16,
    DType.BF16,
    DType.Q4_0,
    DType.Q4_1,
    DType.Q5_0,
    DType.Q5_1,
    DType.Q8_0,
    DType.Q2_K,
    DType.Q3_K,
    DType.Q4_K,
    DType.Q5_K,
    DType.Q6_K
  };

  private WeightCase() {}

  /** A matrix [rows, columns] in the device's memory; values are of the order of 1. */
  static Tensor matrix(
      Device on, Device.TensorArena arena, CaseRandom random, DType type, int rows, int columns) {
    Tensor matrix = arena.allocate(type, rows, columns);
    try (Arena host = Arena.ofConfined()) {
      MemorySegment image = host.allocate(matrix.byteSize(), Tensor.ALIGNMENT_BYTES);
      RowCodec codec = RowCodec.of(type);
      if (codec.canEncode()) {
        float[] values = random.floats(rows * columns, 1);
        codec.encode(values, 0, image, 0, values.length);
      } else {
        randomBlocks(image, random, type);
      }
      on.upload(image, matrix);
    }
    return matrix;
  }

  /** Random codes are valid in every block format; only the F16 scales must be sane numbers. */
  private static void randomBlocks(MemorySegment image, CaseRandom random, DType type) {
    int[] scales =
        switch (type) {
          case Q4_1, Q5_1, Q5_K -> new int[] {0, 2};
          case Q5_0 -> new int[] {0};
          case Q2_K -> new int[] {80, 82};
          case Q3_K -> new int[] {108};
          default -> throw new IllegalArgumentException("no scales known of " + type);
        };
    byte[] bytes = random.bytes(Math.toIntExact(image.byteSize()));
    MemorySegment.copy(MemorySegment.ofArray(bytes), 0, image, 0, bytes.length);
    for (long block = 0; block < bytes.length; block += type.blockBytes()) {
      for (int at : scales) {
        float scale = random.floats(1, 0.01f)[0];
        image.set(Tensor.SHORT, block + at, Float.floatToFloat16(scale));
      }
    }
  }
}
