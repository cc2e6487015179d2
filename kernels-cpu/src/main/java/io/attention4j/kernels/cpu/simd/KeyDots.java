package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.attention.PageFormat.Q8;
import static io.attention4j.kernels.cpu.simd.RowBlocks.BLOCK;
import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.kernels.cpu.attention.PageFormat;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Scores of four query rows, read straight from a page: lanes along the elements of a key, so that
 * a key is read and converted once for four rows. Products of a strip of keys are added up lane by
 * lane in scratch memory before {@link LaneSums} adds the lanes.
 */
final class KeyDots {
  /**
   * Keys per strip: at the second pass over the blocks a strip of 128 elements is still in the L1
   * cache, and the next lines are on their way.
   */
  private static final int STRIP = 16;

  /** One key's scores of four rows. */
  private static final VectorSpecies<Float> QUAD = FloatVector.SPECIES_128;

  /** Floats of the scratch memory that {@link #scores} needs. */
  static final int SCRATCH = STRIP * 4 * LANES + 1;

  private final PageFormat format;
  private final RowBlocks layout;
  private final int dim;
  // Floats from row to row of the queries in order.
  private final int all;

  /** Dots with keys of a layout. */
  KeyDots(PageFormat format, RowBlocks layout) {
    this.format = format;
    this.layout = layout;
    dim = layout.dim;
    all = layout.padded(0);
  }

  /** Floats of four packed rows: their blocks, and all elements in order, padded. */
  int packedFloats() {
    return 4 * (layout.covered + all);
  }

  /** Floats of the scratch memory for rows that {@link #scores} needs. */
  int rowFloats() {
    return STRIP * all;
  }

  /**
   * Packs four query rows.
   *
   * @param q [4][dim] from {@code qAt}
   * @return whether blocks can be used: not, if queries are so large that half precision's spread
   *     overflows
   */
  boolean pack(float[] q, int qAt, float[] packed, int at) {
    boolean fits = true;
    int[] order = layout.order;
    float spread = layout.spread;
    for (int r = 0; r < 4; r++) {
      int row = qAt + r * dim;
      for (int b = 0; b < layout.blocks; b++) {
        int to = at + (b * 4 + r) * BLOCK;
        for (int i = 0; i < BLOCK; i++) {
          float x = q[row + b * BLOCK + order[i]];
          packed[to + i] = x * spread;
          fits &= Float.isFinite(x * spread) || !Float.isFinite(x);
        }
      }
      int to = at + 4 * layout.covered + r * all;
      for (int d = 0; d < dim; d++) {
        packed[to + d] = q[row + d] / spread;
      }
      Arrays.fill(packed, to + dim, to + all, 0);
    }
    return fits;
  }

  /**
   * s[k][r] = q[r] . key[slot + k] for k in [0, count) and what {@link LaneSums} adds to that.
   *
   * @param offset byte where the page's keys begin
   * @param packed four packed rows from {@code qAt}
   * @param inBlocks what {@link #pack} returned
   * @param s [., 4] from {@code at}
   * @param scratch {@link #SCRATCH} floats
   * @param rows {@link #rowFloats} floats
   */
  void scores(
      MemorySegment memory,
      long offset,
      int capacity,
      int slot,
      int count,
      float[] packed,
      int qAt,
      boolean inBlocks,
      float[] s,
      int at,
      float[] scratch,
      float[] rows) {
    long stride = (long) dim * format.elementBytes();
    int plainAt = qAt + 4 * layout.covered;
    for (int k = 0; k < count; k += STRIP) {
      int strip = Math.min(STRIP, count - k);
      long from = offset + (slot + k) * stride;
      int done =
          inBlocks && blocks(memory, from, stride, strip, packed, qAt, scratch)
              ? layout.covered
              : 0;
      if (done < dim) {
        plain(memory, from, stride, strip, packed, plainAt, done, scratch, rows);
      }
      LaneSums.of(scratch, strip, s, at + 4 * k, layout.spread);
    }
    if (format == Q8) {
      scale(memory, offset, capacity, slot, count, s, at);
    }
  }

  private boolean blocks(
      MemorySegment memory, long from, long stride, int keys, float[] q, int qAt, float[] lanes) {
    long bytes = layout.blockBytes();
    for (int b = 0; b < layout.blocks; b++) {
      long ahead = b + 1 < layout.blocks ? bytes : 0;
      long halfAhead = layout.blocks == 1 ? HalfBlocks.NO_TOUCH : ahead;
      int at = qAt + b * 4 * BLOCK;
      long block = from + b * bytes;
      switch (format) {
        case F32 -> FloatBlocks.scores(memory, block, stride, keys, q, at, lanes, b > 0, ahead);
        case Q8 -> CodeBlocks.scores(memory, block, stride, keys, q, at, lanes, b > 0, ahead);
        case F16 -> {
          if (!HalfBlocks.scores(
              false, memory, block, stride, keys, q, at, lanes, b > 0, halfAhead)) {
            return false;
          }
        }
        case BF16 -> {
          if (!HalfBlocks.scores(
              true, memory, block, stride, keys, q, at, lanes, b > 0, halfAhead)) {
            return false;
          }
        }
      }
    }
    return true;
  }

  /** Elements [first, dim), exactly; adds to the lanes if first is not 0. */
  private void plain(
      MemorySegment memory,
      long from,
      long stride,
      int keys,
      float[] q,
      int qAt,
      int first,
      float[] lanes,
      float[] rows) {
    int width = layout.padded(first);
    RowFloats.read(format, memory, from, stride, keys, first, dim, rows, width);
    for (int k = 0; width > dim - first && k < keys; k++) {
      Arrays.fill(rows, k * width + dim - first, (k + 1) * width, 0);
    }
    // A last odd key takes along what the row behind it holds, which nobody reads.
    for (int k = 0; k < keys; k += 2) {
      dots(rows, k * width, width, q, qAt + first, all, first > 0, lanes, k * 4 * LANES);
    }
  }

  /** Two keys at a time and too large for C2 to inline, see {@link ValueSums}. */
  private static void dots(
      float[] rows,
      int at,
      int width,
      float[] q,
      int qAt,
      int qStride,
      boolean add,
      float[] lanes,
      int to) {
    FloatVector c00 = FloatVector.zero(FLOAT);
    FloatVector c01 = FloatVector.zero(FLOAT);
    FloatVector c02 = FloatVector.zero(FLOAT);
    FloatVector c03 = FloatVector.zero(FLOAT);
    FloatVector c10 = FloatVector.zero(FLOAT);
    FloatVector c11 = FloatVector.zero(FLOAT);
    FloatVector c12 = FloatVector.zero(FLOAT);
    FloatVector c13 = FloatVector.zero(FLOAT);
    if (add) {
      c00 = FloatVector.fromArray(FLOAT, lanes, to);
      c01 = FloatVector.fromArray(FLOAT, lanes, to + LANES);
      c02 = FloatVector.fromArray(FLOAT, lanes, to + 2 * LANES);
      c03 = FloatVector.fromArray(FLOAT, lanes, to + 3 * LANES);
      c10 = FloatVector.fromArray(FLOAT, lanes, to + 4 * LANES);
      c11 = FloatVector.fromArray(FLOAT, lanes, to + 5 * LANES);
      c12 = FloatVector.fromArray(FLOAT, lanes, to + 6 * LANES);
      c13 = FloatVector.fromArray(FLOAT, lanes, to + 7 * LANES);
    }
    for (int d = 0; d < width; d += LANES) {
      FloatVector x0 = FloatVector.fromArray(FLOAT, rows, at + d);
      FloatVector x1 = FloatVector.fromArray(FLOAT, rows, at + width + d);
      FloatVector y = FloatVector.fromArray(FLOAT, q, qAt + d);
      c00 = x0.fma(y, c00);
      c10 = x1.fma(y, c10);
      y = FloatVector.fromArray(FLOAT, q, qAt + qStride + d);
      c01 = x0.fma(y, c01);
      c11 = x1.fma(y, c11);
      y = FloatVector.fromArray(FLOAT, q, qAt + 2 * qStride + d);
      c02 = x0.fma(y, c02);
      c12 = x1.fma(y, c12);
      y = FloatVector.fromArray(FLOAT, q, qAt + 3 * qStride + d);
      c03 = x0.fma(y, c03);
      c13 = x1.fma(y, c13);
    }
    c00.intoArray(lanes, to);
    c01.intoArray(lanes, to + LANES);
    c02.intoArray(lanes, to + 2 * LANES);
    c03.intoArray(lanes, to + 3 * LANES);
    c10.intoArray(lanes, to + 4 * LANES);
    c11.intoArray(lanes, to + 5 * LANES);
    c12.intoArray(lanes, to + 6 * LANES);
    c13.intoArray(lanes, to + 7 * LANES);
  }

  private void scale(
      MemorySegment memory, long offset, int capacity, int slot, int count, float[] s, int at) {
    for (int k = 0; k < count; k++) {
      float scale = PageFormat.scale(memory, offset, capacity, dim, slot + k);
      FloatVector.fromArray(QUAD, s, at + 4 * k).mul(scale).intoArray(s, at + 4 * k);
    }
  }
}
