package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.INT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.LSHL;

import io.attention4j.engine.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

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

  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;

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
      case Q6_K -> new Q6KGroups();
      case Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q5_K -> new CodeGroups(dtype);
      default -> null;
    };
  }

  /** Has the loops compiled in the background if {@code in} is small; see {@link WarmUp}. */
  void warmUp(int in) {}

  /** Whether x is taken as 8-bit codes. */
  abstract boolean quantizes();

  /** Whether {@link QuantizedRows#eighthSums} is needed. */
  boolean usesEighths() {
    return false;
  }

  /** Whether {@link QuantizedRows#prepareNibbles} is needed. */
  boolean usesNibbles() {
    return false;
  }

  /** Whether {@link QuantizedRows#preparePairs} is needed. */
  boolean usesPairs() {
    return false;
  }

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

  /** {@link #dots} of two groups at once, which read x once. */
  void pairDots(
      MemorySegment packed,
      long at,
      long at2,
      Activations x,
      int xRow,
      float[] out,
      int outAt,
      int outAt2) {
    dots(packed, at, x, xRow, out, outAt);
    dots(packed, at2, x, xRow, out, outAt2);
  }

  /** Whether {@link #unpack} works: for codes of 4 bits. */
  boolean unpacks() {
    return false;
  }

  /** Whether {@link #unpack} gives offsets. */
  boolean hasOffsets() {
    return false;
  }

  /**
   * Unpacks columns of a group for {@link ShortTiles}: weight = scale * code + offset, where code
   * is in -8..7 and the others are the same for 32 columns.
   *
   * @param columns all columns
   * @param k first column, a multiple of 32
   * @param depth columns, a multiple of 32, at most {@link ShortTiles#DEPTH}
   * @param column where the group starts in the rows of {@code codes} and {@code scales}, each
   *     {@link ShortTiles#ROWS} long
   * @param offsetsAt where it starts in the first of the rows of {@code offsets}, as long
   */
  void unpack(
      MemorySegment packed,
      long at,
      int columns,
      int k,
      int depth,
      short[] codes,
      int column,
      float[] scales,
      float[] offsets,
      int offsetsAt) {
    throw new IllegalStateException(getClass().getSimpleName() + " has no 4-bit codes");
  }

  /** The F16 of lanes 0, 2, ... times {@code factor}; see {@link #HALF_SCALE}. */
  static FloatVector evenScales(MemorySegment packed, long at, float factor) {
    IntVector halves = IntVector.fromMemorySegment(INT, packed, at, LE);
    return halves
        .lanewise(LSHL, 16)
        .lanewise(ASHR, 3)
        .and(HALF_MASK)
        .reinterpretAsFloats()
        .mul(factor);
  }

  /** The F16 of lanes 1, 3, ... times {@code factor}; see {@link #HALF_SCALE}. */
  static FloatVector oddScales(MemorySegment packed, long at, float factor) {
    IntVector halves = IntVector.fromMemorySegment(INT, packed, at, LE);
    return halves.lanewise(ASHR, 3).and(HALF_MASK).reinterpretAsFloats().mul(factor);
  }

  /** 16-bit lane of a row of the group. */
  static int lane(int row) {
    return row < LANES ? 2 * row : 2 * (row - LANES) + 1;
  }

  /** Whether these F16 bits are infinite or NaN. */
  static boolean isSpecial(short half) {
    return (half & 0x7c00) == 0x7c00;
  }
}
