package io.attention4j.engine.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * GGML's first block formats: 32 elements share one F16 scale d and, in the {@code _1} formats, one
 * F16 minimum m. Layouts, in bytes:
 *
 * <pre>
 * Q4_0  d:2 nibbles:16             x = d (q - 8)
 * Q4_1  d:2 m:2 nibbles:16         x = d q + m
 * Q5_0  d:2 fifthBits:4 nibbles:16       x = d (q - 16)
 * Q5_1  d:2 m:2 fifthBits:4 nibbles:16   x = d q + m
 * Q8_0  d:2 q:32                   x = d q, q signed
 * </pre>
 *
 * Nibble byte i holds element i in its low half and element i + 16 in its high half; bit i of the
 * little-endian word {@code fifthBits} is bit 4 of element i.
 */
final class LegacyRowCodec extends RowCodec {
  private static final int BLOCK = 32;
  private static final int HALF_BLOCK = BLOCK / 2;
  private static final int MAX_Q8 = 127;
  private static final int MAX_Q4 = 15;

  /** Unlike +0, changes no sum: a product of -0 stays -0, as in GGML. */
  private static final float NO_MINIMUM = -0f;

  LegacyRowCodec(DType dtype) {
    super(dtype);
  }

  @Override
  void decodeChecked(
      MemorySegment source, long byteOffset, float[] target, int targetOffset, int elements) {
    for (int done = 0; done < elements; done += BLOCK) {
      long block = byteOffset + dtype().bytes(done);
      int out = targetOffset + done;
      float scale = half(source, block);
      switch (dtype()) {
        case Q4_0 -> decodeNibbles(source, block + 2, 0, scale, -8, NO_MINIMUM, target, out);
        case Q4_1 -> {
          float minimum = half(source, block + 2);
          decodeNibbles(source, block + 4, 0, scale, 0, minimum, target, out);
        }
        case Q5_0 -> {
          int fifthBits = source.get(Tensor.INT, block + 2);
          decodeNibbles(source, block + 6, fifthBits, scale, -16, NO_MINIMUM, target, out);
        }
        case Q5_1 -> {
          float minimum = half(source, block + 2);
          int fifthBits = source.get(Tensor.INT, block + 4);
          decodeNibbles(source, block + 8, fifthBits, scale, 0, minimum, target, out);
        }
        case Q8_0 -> {
          for (int i = 0; i < BLOCK; i++) {
            target[out + i] = scale * source.get(ValueLayout.JAVA_BYTE, block + 2 + i);
          }
        }
        default -> throw new AssertionError(dtype());
      }
    }
  }

  private static void decodeNibbles(
      MemorySegment source,
      long nibbles,
      int fifthBits,
      float scale,
      int codeOffset,
      float minimum,
      float[] target,
      int out) {
    for (int i = 0; i < HALF_BLOCK; i++) {
      int packed = u8(source, nibbles + i);
      int low = packed & 0xf | (fifthBits >>> i & 1) << 4;
      int high = packed >>> 4 | (fifthBits >>> i + HALF_BLOCK & 1) << 4;
      target[out + i] = scale * (low + codeOffset) + minimum;
      target[out + i + HALF_BLOCK] = scale * (high + codeOffset) + minimum;
    }
  }

  @Override
  void encodeChecked(
      float[] source, int sourceOffset, MemorySegment target, long byteOffset, int elements) {
    for (int done = 0; done < elements; done += BLOCK) {
      long block = byteOffset + dtype().bytes(done);
      switch (dtype()) {
        case Q4_0 -> encodeQ4(source, sourceOffset + done, target, block);
        case Q8_0 -> encodeQ8(source, sourceOffset + done, target, block);
        default -> throw new AssertionError(dtype());
      }
    }
  }

  /**
   * The value of largest magnitude gets code 0, that is -8, the end with one level more; a value of
   * the same magnitude and the opposite sign is clipped to 7/8 of itself.
   */
  private void encodeQ4(float[] source, int from, MemorySegment target, long block) {
    float largest = largestMagnitude(source, from);
    float scale = largest / -8;
    float inverse = scale == 0 ? 0 : 1 / scale;
    putScale(target, block, scale);
    for (int i = 0; i < HALF_BLOCK; i++) {
      int low = codeQ4(source[from + i] * inverse);
      int high = codeQ4(source[from + i + HALF_BLOCK] * inverse);
      putByte(target, block + 2 + i, low | high << 4);
    }
  }

  private static int codeQ4(float scaled) {
    return Math.clamp((int) (scaled + 8.5f), 0, MAX_Q4);
  }

  private void encodeQ8(float[] source, int from, MemorySegment target, long block) {
    float scale = Math.abs(largestMagnitude(source, from)) / MAX_Q8;
    float inverse = scale == 0 ? 0 : 1 / scale;
    putScale(target, block, scale);
    for (int i = 0; i < BLOCK; i++) {
      // Halves away from zero, as C's roundf; the sum is exact in float64.
      double scaled = source[from + i] * inverse;
      int code = (int) (scaled + Math.copySign(0.5, scaled));
      putByte(target, block + 2 + i, Math.clamp(code, -MAX_Q8, MAX_Q8));
    }
  }

  /** The first value whose magnitude no other of the block exceeds. */
  private static float largestMagnitude(float[] source, int from) {
    float largest = 0;
    for (int i = 0; i < BLOCK; i++) {
      if (Math.abs(source[from + i]) > Math.abs(largest)) {
        largest = source[from + i];
      }
    }
    return largest;
  }
}
