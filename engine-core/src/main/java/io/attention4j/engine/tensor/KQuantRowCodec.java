package io.attention4j.engine.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * GGML's K-quants: super-blocks of 256 elements in 8 sub-blocks of 32 or 16 of 16. F16 factors d
 * (and dmin) scale small integer scales s (and minima m) of the sub-blocks. Layouts, in bytes:
 *
 * <pre>
 * Q2_K  scales:16 q:64 d:2 dmin:2        16 x 16  x = (d s) q - (dmin m)   s, m of 4 bits
 * Q3_K  high:32 q:64 scales:12 d:2       16 x 16  x = (d (s - 32)) (q - 4) s of 6 bits
 * Q4_K  d:2 dmin:2 scales:12 q:128        8 x 32  x = (d s) q - (dmin m)   s, m of 6 bits
 * Q5_K  d:2 dmin:2 scales:12 high:32 q:128 8 x 32 x = (d s) q - (dmin m)   s, m of 6 bits
 * Q6_K  low:128 high:64 scales:16 d:2    16 x 16  x = (d s) (q - 32)       s signed, 8 bits
 * </pre>
 *
 * Each decode method below says where a sub-block's codes lie.
 */
final class KQuantRowCodec extends RowCodec {
  private static final int BLOCK = 256;

  /** Scale sizes below this count as an empty block, as in GGML. */
  private static final float EMPTY_SCALE = 1e-15f;

  private static final int MAX_SCALE_6_BITS = 63;

  KQuantRowCodec(DType dtype) {
    super(dtype);
  }

  @Override
  void decodeChecked(
      MemorySegment source, long byteOffset, float[] target, int targetOffset, int elements) {
    for (int done = 0; done < elements; done += BLOCK) {
      long block = byteOffset + dtype().bytes(done);
      int out = targetOffset + done;
      switch (dtype()) {
        case Q2_K -> decodeQ2(source, block, target, out);
        case Q3_K -> decodeQ3(source, block, target, out);
        case Q4_K -> decodeQ4(source, block, target, out);
        case Q5_K -> decodeQ5(source, block, target, out);
        case Q6_K -> decodeQ6(source, block, target, out);
        default -> throw new AssertionError(dtype());
      }
    }
  }

  /**
   * Sub-blocks 2p and 2p + 1 of each half share 32 bytes per half, bits 2p and 2p + 1; the odd one
   * has the upper 16 bytes.
   */
  private static void decodeQ2(MemorySegment source, long block, float[] target, int out) {
    float d = half(source, block + 80);
    float dmin = half(source, block + 82);
    for (int sub = 0; sub < 16; sub++) {
      int packed = u8(source, block + sub);
      float scale = d * (packed & 0xf);
      float minimum = dmin * (packed >>> 4);
      long codes = block + 16 + twoBitBytes(sub);
      int shift = twoBitShift(sub);
      for (int i = 0; i < 16; i++) {
        int code = u8(source, codes + i) >>> shift & 3;
        target[out + 16 * sub + i] = scale * code - minimum;
      }
    }
  }

  /** Codes as in Q2_K; bit 2 is bit (4 half + p) of the 32 bytes {@code high}. */
  private static void decodeQ3(MemorySegment source, long block, float[] target, int out) {
    long scales = block + 96;
    float d = half(source, block + 108);
    for (int sub = 0; sub < 16; sub++) {
      int low = u8(source, scales + sub % 8) >>> 4 * (sub / 8) & 0xf;
      int high = u8(source, scales + 8 + sub % 4) >>> 2 * (sub / 4) & 3;
      float scale = d * ((low | high << 4) - 32);
      long codes = block + 32 + twoBitBytes(sub);
      long highBits = block + 16 * (sub & 1);
      for (int i = 0; i < 16; i++) {
        int code = u8(source, codes + i) >>> twoBitShift(sub) & 3;
        int bit = u8(source, highBits + i) >>> sub / 2 & 1;
        target[out + 16 * sub + i] = scale * ((code | bit << 2) - 4);
      }
    }
  }

  private static int twoBitBytes(int sub) {
    return 32 * (sub / 8) + 16 * (sub & 1);
  }

  private static int twoBitShift(int sub) {
    return 2 * (sub % 8 / 2);
  }

  /** Two sub-blocks share 32 bytes: the even one has the low nibbles, the odd one the high. */
  private static void decodeQ4(MemorySegment source, long block, float[] target, int out) {
    float d = half(source, block);
    float dmin = half(source, block + 2);
    for (int sub = 0; sub < 8; sub++) {
      float scale = d * scale6(source, block + 4, sub);
      float minimum = dmin * minimum6(source, block + 4, sub);
      long codes = block + 16 + 32 * (sub / 2);
      int shift = 4 * (sub & 1);
      for (int i = 0; i < 32; i++) {
        int code = u8(source, codes + i) >>> shift & 0xf;
        target[out + 32 * sub + i] = scale * code - minimum;
      }
    }
  }

  /** Low nibbles as in Q4_K; bit 4 of sub-block s is bit s of the 32 bytes {@code high}. */
  private static void decodeQ5(MemorySegment source, long block, float[] target, int out) {
    float d = half(source, block);
    float dmin = half(source, block + 2);
    for (int sub = 0; sub < 8; sub++) {
      float scale = d * scale6(source, block + 4, sub);
      float minimum = dmin * minimum6(source, block + 4, sub);
      long codes = block + 48 + 32 * (sub / 2);
      int shift = 4 * (sub & 1);
      for (int i = 0; i < 32; i++) {
        int low = u8(source, codes + i) >>> shift & 0xf;
        int bit = u8(source, block + 16 + i) >>> sub & 1;
        target[out + 32 * sub + i] = scale * (low | bit << 4) - minimum;
      }
    }
  }

  /**
   * Of the 128 elements of a half, quarters 0 and 2 share the first 32 bytes of {@code low} (low
   * and high nibbles), quarters 1 and 3 the next 32; bits 4 and 5 of quarter r are bits 2r and 2r +
   * 1 of the half's 32 bytes of {@code high}.
   */
  private static void decodeQ6(MemorySegment source, long block, float[] target, int out) {
    float d = half(source, block + 208);
    for (int sub = 0; sub < 16; sub++) {
      float scale = d * source.get(ValueLayout.JAVA_BYTE, block + 192 + sub);
      int quarter = sub % 8 / 2;
      long lowBits = block + 64 * (sub / 8) + 32 * (quarter & 1) + 16 * (sub & 1);
      long highBits = block + 128 + 32 * (sub / 8) + 16 * (sub & 1);
      for (int i = 0; i < 16; i++) {
        int low = u8(source, lowBits + i) >>> 4 * (quarter >> 1) & 0xf;
        int high = u8(source, highBits + i) >>> 2 * quarter & 3;
        target[out + 16 * sub + i] = scale * ((low | high << 4) - 32);
      }
    }
  }

  /**
   * Scale of sub-block s from the 12 bytes of Q4_K and Q5_K. Bytes 0-3 hold scales 0-3 and bytes
   * 4-7 minima 0-3 in their low six bits; bytes 8-11 hold the low nibbles of scales and minima 4-7,
   * whose top two bits lie in the top two bits of bytes 0-3 and 4-7.
   */
  private static int scale6(MemorySegment source, long scales, int sub) {
    return sub < 4
        ? u8(source, scales + sub) & 63
        : u8(source, scales + 4 + sub) & 0xf | u8(source, scales + sub - 4) >>> 6 << 4;
  }

  /** Minimum of a sub-block, see {@link #scale6}. */
  private static int minimum6(MemorySegment source, long scales, int sub) {
    return sub < 4
        ? u8(source, scales + 4 + sub) & 63
        : u8(source, scales + 4 + sub) >>> 4 | u8(source, scales + sub) >>> 6 << 4;
  }

  @Override
  void encodeChecked(
      float[] source, int sourceOffset, MemorySegment target, long byteOffset, int elements) {
    ScaleSearch search = new ScaleSearch();
    byte[] codes = new byte[BLOCK];
    for (int done = 0; done < elements; done += BLOCK) {
      long block = byteOffset + dtype().bytes(done);
      switch (dtype()) {
        case Q4_K -> encodeQ4(source, sourceOffset + done, search, codes, target, block);
        case Q6_K -> encodeQ6(source, sourceOffset + done, search, codes, target, block);
        default -> throw new AssertionError(dtype());
      }
    }
  }

  private void encodeQ4(
      float[] source,
      int from,
      ScaleSearch search,
      byte[] codes,
      MemorySegment target,
      long block) {
    float[] scales = new float[8];
    float[] minima = new float[8];
    float maxScale = 0;
    float maxMinimum = 0;
    for (int sub = 0; sub < 8; sub++) {
      scales[sub] = search.affine(source, from + 32 * sub, 32, 15, codes, 32 * sub);
      minima[sub] = search.minimum();
      maxScale = Math.max(maxScale, scales[sub]);
      maxMinimum = Math.max(maxMinimum, minima[sub]);
    }
    float d = putScale(target, block, maxScale / MAX_SCALE_6_BITS);
    float dmin = putScale(target, block + 2, maxMinimum / MAX_SCALE_6_BITS);
    float inverseScale = maxScale > 0 ? MAX_SCALE_6_BITS / maxScale : 0;
    float inverseMinimum = maxMinimum > 0 ? MAX_SCALE_6_BITS / maxMinimum : 0;
    int[] scaleCodes = new int[8];
    int[] minimumCodes = new int[8];
    for (int sub = 0; sub < 8; sub++) {
      scaleCodes[sub] = nearestCode(inverseScale * scales[sub], 0, MAX_SCALE_6_BITS);
      minimumCodes[sub] = nearestCode(inverseMinimum * minima[sub], 0, MAX_SCALE_6_BITS);
      float scale = d * scaleCodes[sub];
      float minimum = dmin * minimumCodes[sub];
      // The scales were rounded, so every code is chosen anew. A scale of 0 leaves the search's
      // codes, which then decode to the minimum alone.
      for (int i = 32 * sub; scale != 0 && i < 32 * (sub + 1); i++) {
        codes[i] = (byte) nearestCode((source[from + i] + minimum) / scale, 0, 15);
      }
    }
    for (int sub = 0; sub < 4; sub++) {
      int scale = scaleCodes[sub + 4];
      int minimum = minimumCodes[sub + 4];
      putByte(target, block + 4 + sub, scaleCodes[sub] | scale >>> 4 << 6);
      putByte(target, block + 8 + sub, minimumCodes[sub] | minimum >>> 4 << 6);
      putByte(target, block + 12 + sub, scale & 0xf | (minimum & 0xf) << 4);
    }
    for (int pair = 0; pair < 4; pair++) {
      for (int i = 0; i < 32; i++) {
        int low = codes[64 * pair + i];
        int high = codes[64 * pair + 32 + i];
        putByte(target, block + 16 + 32 * pair + i, low | high << 4);
      }
    }
  }

  private void encodeQ6(
      float[] source,
      int from,
      ScaleSearch search,
      byte[] codes,
      MemorySegment target,
      long block) {
    float[] scales = new float[16];
    float largest = 0;
    for (int sub = 0; sub < 16; sub++) {
      scales[sub] = search.symmetric(source, from + 16 * sub, 16, 32, codes, 16 * sub);
      if (Float.isNaN(scales[sub])) {
        // A NaN would lose every comparison and pass as an empty block.
        requireScale(scales[sub]);
      }
      if (Math.abs(scales[sub]) > Math.abs(largest)) {
        largest = scales[sub];
      }
    }
    if (Math.abs(largest) < EMPTY_SCALE) {
      target.asSlice(block, dtype().blockBytes()).fill((byte) 0);
      return;
    }
    float inverse = -128 / largest;
    float d = putScale(target, block + 208, 1 / inverse);
    for (int sub = 0; sub < 16; sub++) {
      int scaleCode = nearestCode(inverse * scales[sub], -128, 127);
      putByte(target, block + 192 + sub, scaleCode);
      float scale = d * scaleCode;
      for (int i = 16 * sub; scale != 0 && i < 16 * (sub + 1); i++) {
        codes[i] = (byte) (nearestCode(source[from + i] / scale, -32, 31) + 32);
      }
    }
    for (int half = 0; half < 2; half++) {
      for (int i = 0; i < 32; i++) {
        int at = 128 * half + i;
        int q0 = codes[at];
        int q1 = codes[at + 32];
        int q2 = codes[at + 64];
        int q3 = codes[at + 96];
        putByte(target, block + 64 * half + i, q0 & 0xf | (q2 & 0xf) << 4);
        putByte(target, block + 64 * half + 32 + i, q1 & 0xf | (q3 & 0xf) << 4);
        int high = q0 >>> 4 | q1 >>> 4 << 2 | q2 >>> 4 << 4 | q3 >>> 4 << 6;
        putByte(target, block + 128 + 32 * half + i, high);
      }
    }
  }

  /** The nearest integer, ties to even, within bounds. */
  static int nearestCode(float value, int min, int max) {
    return Math.clamp((int) Math.rint(value), min, max);
  }
}
