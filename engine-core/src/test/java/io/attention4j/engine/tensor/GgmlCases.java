package io.attention4j.engine.tensor;

import java.lang.foreign.MemorySegment;

/**
 * Deterministic inputs of the golden values in {@code ggml-golden.txt}. All arithmetic is on
 * integers or exact, so that any language reproduces them bit for bit.
 */
final class GgmlCases {
  static final int FLOATS = 512;
  static final int BLOCKS = 16;
  private static final int WORDS = 1 << 16;

  private GgmlCases() {}

  /** A 32-bit mixing function. */
  static int mix(int x) {
    x = (x ^ x >>> 16) * 0x7feb352d;
    x = (x ^ x >>> 15) * 0x846ca68b;
    return x ^ x >>> 16;
  }

  /** Sums of four uniform 20-bit numbers, centred: bell-shaped in [-2, 2). */
  static float[] bell(int seed, float factor) {
    float[] values = new float[FLOATS];
    for (int i = 0; i < FLOATS; i++) {
      int sum = -(1 << 21);
      for (int j = 0; j < 4; j++) {
        sum += mix(seed * 100_000 + 4 * i + j) >>> 12;
      }
      values[i] = sum / (float) (1 << 20) * factor;
    }
    return values;
  }

  /** The input of an encode case. */
  static float[] floats(String name) {
    return switch (name) {
      case "bell" -> bell(1, 1);
      case "weights" -> bell(2, 0x1p-6f);
      case "zero" -> new float[FLOATS];
      case "constant" -> map(0, (i, x) -> 0.75f);
      case "negative-constant" -> map(0, (i, x) -> -0.75f);
      case "positive" -> map(3, (i, x) -> Math.abs(x));
      case "negative" -> map(4, (i, x) -> -Math.abs(x));
      case "shifted" -> map(5, (i, x) -> x + 3);
      case "one-huge" -> map(6, (i, x) -> i == 37 ? 1000 : i == 300 ? -1000 : x * 0x1p-10f);
      case "negative-max" -> map(7, (i, x) -> i % 32 == 5 ? -2.5f : x);
      case "positive-max" -> map(8, (i, x) -> i % 16 == 9 ? 2.5f : x);
      case "sparse" -> map(9, (i, x) -> i % 7 == 0 ? x : 0);
      case "falling" -> map(10, (i, x) -> Math.scalb(x, -(i / 16 % 16)));
      case "grid" -> map(0, (i, x) -> (i % 31 - 15) * 0.125f);
      case "tie" -> map(0, (i, x) -> (i % 64 - 32) * 0.5f);
      case "large" -> bell(11, 0x1p12f);
      case "subnormal-scale" -> bell(12, 0x1p-17f);
      case "tiny-scale" -> bell(13, 0x1p-21f);
      case "vanishing-scale" -> bell(14, 0x1p-40f);
      case "half-zero" -> map(15, (i, x) -> i < 256 ? 0 : x);
      case "flat-parts" -> map(16, GgmlCases::flatParts);
      case "two-spikes" -> map(0, (i, x) -> i == 0 ? 1 : i == 511 ? -1 : 0);
      default -> throw new IllegalArgumentException("no case " + name);
    };
  }

  private static float flatParts(int i, float x) {
    if (i >= 64 && i < 96) {
      return 0.5f;
    }
    if (i >= 96 && i < 128) {
      return -0.5f;
    }
    return i >= 160 && i < 192 ? 0 : x;
  }

  private interface IndexedFunction {
    float apply(int index, float value);
  }

  private static float[] map(int seed, IndexedFunction function) {
    float[] values = bell(seed, 1);
    for (int i = 0; i < FLOATS; i++) {
      values[i] = function.apply(i, values[i]);
    }
    return values;
  }

  /** The input of a decode case: arbitrary bytes whose F16 factors are of one kind. */
  static byte[] blocks(DType dtype, String kind) {
    int blockBytes = dtype.blockBytes();
    byte[] bytes = new byte[BLOCKS * blockBytes];
    int seed = 20 + (dtype.ordinal() - DType.Q4_0.ordinal());
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) (mix(seed * 100_000 + 50_000 + i) >>> 24);
    }
    int[] factorOffsets = factorOffsets(dtype);
    for (int block = 0; block < BLOCKS && !kind.equals("raw"); block++) {
      int[] factors = factors(kind, block);
      for (int f = 0; f < factorOffsets.length; f++) {
        int at = block * blockBytes + factorOffsets[f];
        MemorySegment.ofArray(bytes).set(Tensor.SHORT, at, (short) factors[f]);
      }
    }
    return bytes;
  }

  /** Byte offsets of a block's F16 factors. */
  static int[] factorOffsets(DType dtype) {
    return switch (dtype) {
      case Q4_0, Q5_0, Q8_0 -> new int[] {0};
      case Q4_1, Q5_1, Q4_K, Q5_K -> new int[] {0, 2};
      case Q2_K -> new int[] {80, 82};
      case Q3_K -> new int[] {108};
      case Q6_K -> new int[] {208};
      default -> throw new IllegalArgumentException(dtype + " has no blocks");
    };
  }

  private static int[] factors(String kind, int block) {
    return switch (kind) {
      case "usual" ->
          new int[] {
            0x2c00 + (mix(77 * block + 1) & 0x3ff), 0xa400 + (mix(77 * block + 2) & 0x7ff)
          };
      case "subnormal" -> new int[] {1 + 13 * block, 0x8005 + block};
      case "infinite" -> new int[] {0x7c00, 0xfc00};
      case "nan" -> new int[] {0x7e00, 0xfe01};
      case "zero" -> new int[] {0x0000, 0x8000};
      default -> throw new IllegalArgumentException("no case " + kind);
    };
  }

  /** Floats of every magnitude, and those at and beside each tie of BF16 and F16; NaN as 0. */
  static float[] roundingEdges() {
    float[] values = new float[10 * WORDS];
    for (int k = 0; k < WORDS; k++) {
      values[k] = Float.intBitsToFloat(mix(k + 9));
      for (int delta = -1; delta <= 1; delta++) {
        int group = 1 + 3 * (delta + 1);
        values[group * WORDS + k] = Float.intBitsToFloat((k << 16) + 0x8000 + delta);
        int step = (k << 13) + delta;
        int sign = k << 31;
        values[(group + 1) * WORDS + k] = Float.intBitsToFloat(0x33000000 + step | sign);
        values[(group + 2) * WORDS + k] = Float.intBitsToFloat(0x33001000 + step | sign);
      }
    }
    for (int i = 0; i < values.length; i++) {
      values[i] = Float.isNaN(values[i]) ? 0 : values[i];
    }
    return values;
  }
}
