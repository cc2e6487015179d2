package io.attention4j.kernels.cpu.simd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.spi.MatmulKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.RowCodec;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.SimdProvider;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Products with 8-bit codes of x: exact but for f32 rounding, given the codes. */
@EnabledIf("io.attention4j.kernels.cpu.simd.VectorWidths#available")
class QuantizedProductsTest {
  private static final int BLOCK = 32;

  @ParameterizedTest
  @CsvSource({
    "Q8_0, 1, 32, 1",
    "Q8_0, 63, 512, 1",
    "Q8_0, 100, 96, 3",
    "Q4_0, 1, 32, 1",
    "Q4_0, 63, 512, 1",
    "Q4_0, 100, 96, 3",
    "Q4_0, 100, 96, 33",
    "Q4_0, 5, 544, 7",
    "Q4_K, 1, 256, 1",
    "Q4_K, 63, 768, 2",
    "Q4_K, 100, 512, 33",
    "Q4_K, 5, 256, 7",
    "Q6_K, 1, 256, 1",
    "Q6_K, 63, 768, 2",
    "Q6_K, 100, 512, 33",
    "Q4_1, 1, 32, 1",
    "Q4_1, 63, 512, 2",
    "Q5_0, 1, 32, 1",
    "Q5_0, 63, 544, 2",
    "Q5_1, 1, 32, 1",
    "Q5_1, 63, 512, 2",
    "Q2_K, 1, 256, 1",
    "Q2_K, 63, 768, 2",
    "Q3_K, 1, 256, 1",
    "Q3_K, 63, 768, 2",
    "Q5_K, 1, 256, 1",
    "Q5_K, 63, 768, 2"
  })
  void matchesRoundedInputs(DType type, int out, int in, int rows) {
    SplittableRandom random = new SplittableRandom(31L * in + out);
    float[] w = floats(random, out * in);
    float[] x = floats(random, rows * in);
    // One block of x is zero, one has an outlier.
    for (int i = 0; i < BLOCK && in > 2 * BLOCK; i++) {
      x[i] = 0;
    }
    x[in - 1] = 40;
    float[] y = product(type, w, x, out, in, rows);
    for (int r = 0; r < rows; r++) {
      for (int o = 0; o < out; o++) {
        double rounded = 0;
        double exact = 0;
        double magnitude = 0;
        double halfSteps = 0;
        for (int k = 0; k < in; k++) {
          double weight = w[o * in + k];
          float value = x[r * in + k];
          float largest = largest(x, r * in + k / BLOCK * BLOCK);
          double code = largest > 0 ? Math.rint(value * (127 / largest)) : 0;
          rounded += weight * code * (largest / 127);
          exact += weight * value;
          magnitude += Math.abs(weight * value);
          halfSteps += Math.abs(weight) * largest / 254;
        }
        double actual = y[r * out + o];
        double sums = magnitude * 0x1p-24 * (16 + in / 8.0) + 1e-9;
        boolean close = Math.abs(actual - rounded) <= 8 * sums;
        // Many rows may take the f32 path, which does not round x.
        boolean f32 = rows > 8 && Math.abs(actual - exact) <= 8 * sums;
        assertTrue(close || f32, type + " [" + r + ", " + o + "] " + actual + " for " + rounded);
        assertTrue(Math.abs(actual - exact) <= 1.001 * halfSteps + 8 * sums);
      }
    }
  }

  /** While the vector loop is not compiled yet, a loop in plain Java computes the same bits. */
  @ParameterizedTest
  @CsvSource({"1, 1, 0", "5, 3, 2"})
  void theLoopBeforeCompilationGivesTheSameBits(int blocks, int rows, int row) {
    SplittableRandom random = new SplittableRandom(blocks);
    Q8Groups layout = new Q8Groups();
    float[] values = floats(random, rows * blocks * BLOCK);
    QuantizedRows x = new QuantizedRows();
    x.reserve(values.length);
    x.quantize(values, 0, values.length);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment packed = arena.allocate(2 * layout.groupBytes(blocks * BLOCK));
      for (long at = 0; at < packed.byteSize(); at += Short.BYTES) {
        packed.set(Tensor.SHORT, at, (short) random.nextInt());
      }
      long at = packed.byteSize() / 2;
      for (int b = 0; b < blocks; b++) { // scales, which are never infinite or NaN
        for (int i = 0; i < RowGroups.ROWS; i++) {
          short scale = Float.floatToFloat16((float) random.nextDouble(-1, 1));
          packed.set(Tensor.SHORT, at + layout.groupBytes(BLOCK) * b + 2L * i, scale);
        }
      }
      float[] vectors = new float[RowGroups.ROWS + 1];
      float[] plain = new float[RowGroups.ROWS + 1];
      Q8Groups.vectors(packed, at, blocks, x, row * blocks, vectors, 1);
      Q8Groups.plain(packed, at, blocks, x, row * blocks, plain, 1);
      assertArrayEquals(vectors, plain);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"Q8_0", "Q4_0", "Q4_K", "Q6_K", "Q5_0", "Q2_K", "F16", "BF16", "F32"})
  void keepsNonFiniteInputsVisible(DType type) {
    SplittableRandom random = new SplittableRandom(5);
    float[] w = floats(random, 40 * 256);
    float[] x = floats(random, 256);
    for (float special : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
      x[77] = special;
      for (float value : product(type, w, x, 40, 256, 1)) {
        assertFalse(Float.isFinite(value), type + " hides " + special);
      }
    }
  }

  /** No encoder writes -128, but files with random codes do; two products with it fit 16 bits. */
  @Test
  void multipliesCodesOfMinus128() {
    try (Device device = new SimdProvider().open(new DeviceOptions(1));
        Device.TensorArena arena = device.newArena()) {
      Tensor weight = arena.allocate(DType.Q8_0, 40, 64);
      weight.segment().fill((byte) -128);
      for (long at = 0; at < weight.byteSize(); at += DType.Q8_0.bytes(32)) {
        weight.segment().set(Tensor.SHORT, at, (short) 0x3c00); // 1
      }
      Tensor y = arena.allocate(DType.F32, 1, 40);
      for (float sign : new float[] {1, -1}) {
        float[] values = ones(64);
        for (int i = 0; i < values.length; i++) {
          values[i] *= 127 * sign;
        }
        Tensor x = Tensor.ofFloats(Arena.ofAuto(), values, 1, 64);
        try (MatmulKernel.MatmulPlan plan = kernel(device).plan(List.of(weight), null)) {
          plan.run(x, 1, new Tensor[] {y}, false);
        }
        for (float value : y.toFloats()) {
          assertEquals(-128 * 127 * 64 * sign, value);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"Q8_0", "Q4_0", "Q4_1", "Q5_1", "Q4_K", "Q5_K", "F16"})
  void keepsInfiniteWeightsVisible(DType type) {
    try (Device device = new SimdProvider().open(new DeviceOptions(1));
        Device.TensorArena arena = device.newArena()) {
      Tensor weight = arena.allocate(type, 40, 256);
      // Both an F16 element and the scale d of every block format but Q6_K stand at byte 0 of a
      // row; the code after it is not zero.
      weight.segment().set(Tensor.SHORT, 3 * type.bytes(256), (short) 0x7c00);
      weight.segment().set(Tensor.SHORT, 3 * type.bytes(256) + 4, (short) 0x1111);
      Tensor x = Tensor.ofFloats(Arena.ofAuto(), ones(256), 1, 256);
      Tensor y = arena.allocate(DType.F32, 1, 40);
      try (MatmulKernel.MatmulPlan plan = kernel(device).plan(List.of(weight), null)) {
        plan.run(x, 1, new Tensor[] {y}, false);
      }
      assertFalse(Float.isFinite(y.get(0, 3)));
      assertEquals(0, y.get(0, 4));
    }
  }

  private static float[] ones(int count) {
    float[] values = new float[count];
    Arrays.fill(values, 1);
    return values;
  }

  private static float[] floats(SplittableRandom random, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextDouble(-1, 1);
    }
    return values;
  }

  private static float largest(float[] x, int block) {
    float largest = 0;
    for (int i = block; i < block + BLOCK; i++) {
      largest = Math.max(largest, Math.abs(x[i]));
    }
    return largest;
  }

  /** Where the F16 factors of a block stand, for types that have no encoder. */
  private static int[] factorBytes(DType type) {
    return switch (type) {
      case Q4_1, Q5_1, Q5_K -> new int[] {0, 2};
      case Q5_0 -> new int[] {0};
      case Q2_K -> new int[] {80, 82};
      case Q3_K -> new int[] {108};
      default -> new int[0];
    };
  }

  /** Random codes and integer scales, which real files have all of too; factors of either sign. */
  private static void fillBlocks(DType type, Tensor weight) {
    SplittableRandom random = new SplittableRandom(weight.byteSize());
    byte[] bytes = new byte[Math.toIntExact(weight.byteSize())];
    random.nextBytes(bytes);
    MemorySegment.copy(bytes, 0, weight.segment(), ValueLayout.JAVA_BYTE, 0, bytes.length);
    long blockBytes = type.bytes(BlockCodes.blockColumns(type));
    for (long block = 0; block < weight.byteSize(); block += blockBytes) {
      for (int factor : factorBytes(type)) {
        short bits = Float.floatToFloat16((float) random.nextDouble(-0.05, 0.05));
        weight.segment().set(Tensor.SHORT, block + factor, bits);
      }
    }
  }

  private static MatmulKernel kernel(Device device) {
    return device.kernel(MatmulKernel.class).orElseThrow();
  }

  /** x W^T, the same bits on one, two and three threads; w becomes what its type stores. */
  private static float[] product(DType type, float[] w, float[] x, int out, int in, int rows) {
    try (Arena arena = Arena.ofShared()) {
      Tensor weight = Tensor.allocate(arena, type, out, in);
      RowCodec codec = RowCodec.of(type);
      if (factorBytes(type).length == 0) {
        codec.encode(w, 0, weight.segment(), 0, w.length);
      } else {
        fillBlocks(type, weight);
      }
      codec.decode(weight.segment(), 0, w, 0, w.length);
      Tensor input = Tensor.ofFloats(arena, x, rows, in);
      Tensor[] outputs = {Tensor.allocate(arena, DType.F32, rows, out)};
      float[] first = null;
      for (int threads = 1; threads <= 3; threads++) {
        try (Device device = new SimdProvider().open(new DeviceOptions(threads));
            MatmulKernel.MatmulPlan plan = kernel(device).plan(List.of(weight), null)) {
          plan.run(input, rows, outputs, false);
        }
        float[] result = outputs[0].toFloats();
        first = first == null ? result : first;
        assertArrayEquals(first, result, type + " on " + threads + " threads");
      }
      return first;
    }
  }
}
