package io.attention4j.kernels.cpu.simd;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Takes a stored block of a GGML format apart: weight = scale * (code - {@link #zero}) + offset,
 * where code is in 0..31 and scale and offset are the same for {@link #columns} columns. Nothing is
 * rounded: a scale is the product of an F16 and an integer of at most 6 bits. One instance per
 * thread.
 */
final class BlockCodes {
  private static final int K_COLUMNS = 256;

  private final DType type;
  private final int blockColumns;
  private final byte[] codes = new byte[K_COLUMNS];
  private final float[] scales = new float[K_COLUMNS / 16];
  private final float[] offsets = new float[K_COLUMNS / 16];

  BlockCodes(DType type) {
    this.type = type;
    blockColumns = blockColumns(type);
  }

  /** Columns of a stored block. */
  static int blockColumns(DType type) {
    return switch (type) {
      case Q4_1, Q5_0, Q5_1 -> 32;
      case Q2_K, Q3_K, Q5_K -> K_COLUMNS;
      default -> throw new IllegalArgumentException(type + " has no such blocks");
    };
  }

  /** Columns that share a scale. */
  static int columns(DType type) {
    return type == DType.Q2_K || type == DType.Q3_K ? 16 : 32;
  }

  /** The code of weight 0 where there are no offsets, otherwise 0. */
  static int zero(DType type) {
    return switch (type) {
      case Q5_0 -> 16;
      case Q3_K -> 4;
      default -> 0;
    };
  }

  /** Whether offsets are other than 0. */
  static boolean hasOffsets(DType type) {
    return zero(type) == 0;
  }

  /** Codes of the block's columns. */
  byte[] codes() {
    return codes;
  }

  /** Scale of each {@link #columns}. */
  float[] scales() {
    return scales;
  }

  /** Offset of each {@link #columns}. */
  float[] offsets() {
    return offsets;
  }

  int blockColumns() {
    return blockColumns;
  }

  /** Reads the block at byte {@code at}; false if an F16 in it is infinite or NaN. */
  boolean read(MemorySegment source, long at) {
    return switch (type) {
      case Q4_1 -> factors(source, at, at + 2, 1) && nibbles(source, at + 4);
      case Q5_0 -> factors(source, at, -1, 1) && fives(source, at + 2);
      case Q5_1 -> factors(source, at, at + 2, 1) && fives(source, at + 4);
      case Q2_K -> readQ2K(source, at);
      case Q3_K -> readQ3K(source, at);
      case Q5_K -> readQ5K(source, at);
      default -> throw new IllegalArgumentException(type + " has no such blocks");
    };
  }

  /** Sets scale 0 and offset 0 from F16; an offset at a negative byte is 0. */
  private boolean factors(MemorySegment source, long scaleAt, long offsetAt, float offsetSign) {
    short scale = source.get(Tensor.SHORT, scaleAt);
    short offset = offsetAt < 0 ? 0 : source.get(Tensor.SHORT, offsetAt);
    scales[0] = Float.float16ToFloat(scale);
    offsets[0] = offsetSign * Float.float16ToFloat(offset);
    return !RowGroups.isSpecial(scale) && !RowGroups.isSpecial(offset);
  }

  private static int unsigned(MemorySegment source, long at) {
    return source.get(ValueLayout.JAVA_BYTE, at) & 0xff;
  }

  private boolean nibbles(MemorySegment source, long at) {
    for (int j = 0; j < 16; j++) {
      int pair = unsigned(source, at + j);
      codes[j] = (byte) (pair & 15);
      codes[16 + j] = (byte) (pair >> 4);
    }
    return true;
  }

  /** Four bytes of fifth bits, then nibbles. */
  private boolean fives(MemorySegment source, long at) {
    nibbles(source, at + 4);
    int high = source.get(Tensor.INT, at);
    for (int j = 0; j < 32; j++) {
      codes[j] |= (byte) ((high >>> j & 1) << 4);
    }
    return true;
  }

  /** 16 bytes of scales and minima, 64 of codes, then d and dmin. */
  private boolean readQ2K(MemorySegment source, long at) {
    if (!factors(source, at + 80, at + 82, -1)) {
      return false;
    }
    float d = scales[0];
    float minimum = offsets[0];
    for (int i = 0; i < 16; i++) {
      int both = unsigned(source, at + i);
      scales[i] = d * (both & 15);
      offsets[i] = minimum * (both >> 4);
    }
    twoBits(source, at + 16);
    return true;
  }

  /** 32 bytes of third bits, 64 of codes, 12 of scales, then d. */
  private boolean readQ3K(MemorySegment source, long at) {
    if (!factors(source, at + 108, -1, 1)) {
      return false;
    }
    float d = scales[0];
    twoBits(source, at + 32);
    for (int k = 0; k < K_COLUMNS; k++) {
      codes[k] |= (byte) ((unsigned(source, at + k % 32) >> k / 32 & 1) << 2);
    }
    for (int i = 0; i < 16; i++) {
      int low = unsigned(source, at + 96 + i % 8) >> (i < 8 ? 0 : 4) & 15;
      int high = unsigned(source, at + 104 + i % 4) >> 2 * (i / 4) & 3;
      scales[i] = d * ((low | high << 4) - 32);
      offsets[i] = 0;
    }
    return true;
  }

  private void twoBits(MemorySegment source, long at) {
    for (int k = 0; k < K_COLUMNS; k++) {
      int four = unsigned(source, at + k / 128 * 32 + k % 32);
      codes[k] = (byte) (four >> 2 * (k % 128 / 32) & 3);
    }
  }

  /** d and dmin, 12 bytes of scales and minima, 32 of fifth bits, then nibbles. */
  private boolean readQ5K(MemorySegment source, long at) {
    if (!factors(source, at, at + 2, -1)) {
      return false;
    }
    float d = scales[0];
    float minimum = offsets[0];
    for (int i = 0; i < 8; i++) {
      int scale = unsigned(source, at + 4 + i % 4);
      int offset = unsigned(source, at + 8 + i % 4);
      if (i < 4) {
        scale &= 63;
        offset &= 63;
      } else {
        int both = unsigned(source, at + 8 + i);
        scale = both & 15 | scale >> 6 << 4;
        offset = both >> 4 | offset >> 6 << 4;
      }
      scales[i] = d * scale;
      offsets[i] = minimum * offset;
    }
    for (int k = 0; k < K_COLUMNS; k++) {
      int pair = unsigned(source, at + 48 + k / 64 * 32 + k % 32);
      int high = unsigned(source, at + 16 + k % 32) >> k / 32 & 1;
      codes[k] = (byte) (pair >> (k % 64 < 32 ? 0 : 4) & 15 | high << 4);
    }
    return true;
  }
}
