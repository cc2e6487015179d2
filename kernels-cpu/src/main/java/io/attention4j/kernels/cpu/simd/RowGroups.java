package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.tensor.DType;
import java.lang.foreign.MemorySegment;

/**
 * A layout of weights for decoding: as many rows as a vector has 16-bit lanes are interleaved, so
 * that lanes are rows, memory is read as one stream in the order of use, x is broadcast and no sum
 * crosses lanes. (Rows as they are stored make every weight row read all of x: where x exceeds a
 * part of the first-level cache, those reads hold up the stream of weights, which halves the speed
 * on Zen 4.) The copy costs about the weight's size in memory; the pages of a mapped file are not
 * read again while decoding. Instances are stateless.
 */
abstract class RowGroups {
  /** Rows of a group: row r of the first half is lane 2r, row r of the second lane 2r + 1. */
  static final int ROWS = 2 * LANES;

  /** Bytes of a vector. */
  static final int VECTOR_BYTES = Species.BITS / 8;

  /**
   * F16 bits shifted to the place of F32 bits read as 2^-112 of their value. With 2^100 in the
   * scale of x, no product leaves the range of F32; this is the rest.
   */
  static final float HALF_SCALE = 0x1p100f;

  /** See {@link #HALF_SCALE}. */
  static final float HALF_REST = 0x1p12f;

  /** Sign, exponent and mantissa of an F16 after its shift. */
  static final int HALF_MASK = 0x8fffe000;

  /** The layout of a type, or null if it is multiplied as it is stored. */
  static RowGroups of(DType dtype) {
    return switch (dtype) {
      case F16, BF16 -> new HalfGroups(dtype);
      case Q4_0 -> new Q4Groups();
      case Q8_0 -> new Q8Groups();
      case Q4_K -> new Q4KGroups();
      default -> null;
    };
  }

  /** Whether x is taken as 8-bit codes. */
  abstract boolean quantizes();

  /** Bytes of a group of rows of {@code in} elements. */
  abstract long groupBytes(int in);

  /**
   * Packs a group.
   *
   * @param rowAt byte of the first row
   * @param rows rows there are, at most {@link #ROWS}; the others become zero
   * @param target zero-filled
   * @return false if the layout cannot hold the rows, because a scale is not finite
   */
  abstract boolean pack(
      MemorySegment source,
      long rowAt,
      long rowBytes,
      int rows,
      int in,
      MemorySegment target,
      long at);

  /** Products of a group's rows with row {@code xRow} of x, to {@code out[outAt]} and on. */
  abstract void dots(
      MemorySegment packed, long at, Activations x, int xRow, float[] out, int outAt);

  /** 16-bit lane of a row of the group. */
  static int lane(int row) {
    return row < LANES ? 2 * row : 2 * (row - LANES) + 1;
  }

  /** Whether these F16 bits are infinite or NaN. */
  static boolean isSpecial(short half) {
    return (half & 0x7c00) == 0x7c00;
  }
}
