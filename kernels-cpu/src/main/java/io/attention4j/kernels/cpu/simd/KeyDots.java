package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.attention.PageFormat.BF16;
import static io.attention4j.kernels.cpu.attention.PageFormat.F16;
import static io.attention4j.kernels.cpu.attention.PageFormat.F32;
import static io.attention4j.kernels.cpu.attention.PageFormat.Q8;
import static io.attention4j.kernels.cpu.simd.RowBlocks.BLOCK;
import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.kernels.cpu.attention.PageFormat;
import java.lang.foreign.MemorySegment;
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

  /** Dots with keys of a layout. */
  KeyDots(PageFormat format, RowBlocks layout) {
    this.format = format;
    this.layout = layout;
    dim = layout.dim;
  }

  /** Floats of four packed rows: their blocks, and all elements in order. */
  int packedFloats() {
    return 4 * (layout.covered + dim);
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
      int to = at + 4 * layout.covered + r * dim;
      for (int d = 0; d < dim; d++) {
        packed[to + d] = q[row + d] / spread;
      }
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
      float[] scratch) {
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
        plain(memory, from, stride, strip, packed, plainAt, done, scratch);
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
      int at = qAt + b * 4 * BLOCK;
      long block = from + b * bytes;
      switch (format) {
        case F32 -> FloatBlocks.scores(memory, block, stride, keys, q, at, lanes, b > 0, ahead);
        case Q8 -> CodeBlocks.scores(memory, block, stride, keys, q, at, lanes, b > 0, ahead);
        case F16 -> {
          if (!HalfBlocks.scores(false, memory, block, stride, keys, q, at, lanes, b > 0, ahead)) {
            return false;
          }
        }
        case BF16 -> {
          if (!HalfBlocks.scores(true, memory, block, stride, keys, q, at, lanes, b > 0, ahead)) {
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
      float[] lanes) {
    int k = 0;
    for (; k + 2 <= keys; k += 2) {
      dots2(format, memory, from + k * stride, stride, dim, first, q, qAt, lanes, k * 4 * LANES);
    }
    if (k < keys) {
      dots1(format, memory, from + k * stride, dim, first, q, qAt, lanes, k * 4 * LANES);
    }
    for (k = 0; k < keys; k++) {
      for (int d = first + FLOAT.loopBound(dim - first); d < dim; d++) {
        float x =
            PageVectors.element(
                format, memory, from + k * stride + (long) d * format.elementBytes());
        for (int r = 0; r < 4; r++) {
          lanes[(k * 4 + r) * LANES] += q[qAt + r * dim + d] * x;
        }
      }
    }
  }

  private static void dots2(
      PageFormat format,
      MemorySegment memory,
      long from,
      long stride,
      int dim,
      int first,
      float[] q,
      int qAt,
      float[] lanes,
      int at) {
    int bytes = format.elementBytes();
    FloatVector c00 = FloatVector.zero(FLOAT);
    FloatVector c01 = FloatVector.zero(FLOAT);
    FloatVector c02 = FloatVector.zero(FLOAT);
    FloatVector c03 = FloatVector.zero(FLOAT);
    FloatVector c10 = FloatVector.zero(FLOAT);
    FloatVector c11 = FloatVector.zero(FLOAT);
    FloatVector c12 = FloatVector.zero(FLOAT);
    FloatVector c13 = FloatVector.zero(FLOAT);
    if (first > 0) {
      c00 = FloatVector.fromArray(FLOAT, lanes, at);
      c01 = FloatVector.fromArray(FLOAT, lanes, at + LANES);
      c02 = FloatVector.fromArray(FLOAT, lanes, at + 2 * LANES);
      c03 = FloatVector.fromArray(FLOAT, lanes, at + 3 * LANES);
      c10 = FloatVector.fromArray(FLOAT, lanes, at + 4 * LANES);
      c11 = FloatVector.fromArray(FLOAT, lanes, at + 5 * LANES);
      c12 = FloatVector.fromArray(FLOAT, lanes, at + 6 * LANES);
      c13 = FloatVector.fromArray(FLOAT, lanes, at + 7 * LANES);
    }
    long next = from + stride;
    int end = first + FLOAT.loopBound(dim - first);
    for (int d = first; d < end; d += LANES) {
      long skip = (long) d * bytes;
      FloatVector x0 =
          format == F32
              ? PageVectors.f32(memory, from + skip)
              : format == F16
                  ? PageVectors.f16(memory, from + skip)
                  : format == BF16
                      ? PageVectors.bf16(memory, from + skip)
                      : PageVectors.q8(memory, from + skip);
      FloatVector x1 =
          format == F32
              ? PageVectors.f32(memory, next + skip)
              : format == F16
                  ? PageVectors.f16(memory, next + skip)
                  : format == BF16
                      ? PageVectors.bf16(memory, next + skip)
                      : PageVectors.q8(memory, next + skip);
      FloatVector y = FloatVector.fromArray(FLOAT, q, qAt + d);
      c00 = x0.fma(y, c00);
      c10 = x1.fma(y, c10);
      y = FloatVector.fromArray(FLOAT, q, qAt + dim + d);
      c01 = x0.fma(y, c01);
      c11 = x1.fma(y, c11);
      y = FloatVector.fromArray(FLOAT, q, qAt + 2 * dim + d);
      c02 = x0.fma(y, c02);
      c12 = x1.fma(y, c12);
      y = FloatVector.fromArray(FLOAT, q, qAt + 3 * dim + d);
      c03 = x0.fma(y, c03);
      c13 = x1.fma(y, c13);
    }
    c00.intoArray(lanes, at);
    c01.intoArray(lanes, at + LANES);
    c02.intoArray(lanes, at + 2 * LANES);
    c03.intoArray(lanes, at + 3 * LANES);
    c10.intoArray(lanes, at + 4 * LANES);
    c11.intoArray(lanes, at + 5 * LANES);
    c12.intoArray(lanes, at + 6 * LANES);
    c13.intoArray(lanes, at + 7 * LANES);
  }

  private static void dots1(
      PageFormat format,
      MemorySegment memory,
      long from,
      int dim,
      int first,
      float[] q,
      int qAt,
      float[] lanes,
      int at) {
    int bytes = format.elementBytes();
    FloatVector c0 = FloatVector.zero(FLOAT);
    FloatVector c1 = FloatVector.zero(FLOAT);
    FloatVector c2 = FloatVector.zero(FLOAT);
    FloatVector c3 = FloatVector.zero(FLOAT);
    if (first > 0) {
      c0 = FloatVector.fromArray(FLOAT, lanes, at);
      c1 = FloatVector.fromArray(FLOAT, lanes, at + LANES);
      c2 = FloatVector.fromArray(FLOAT, lanes, at + 2 * LANES);
      c3 = FloatVector.fromArray(FLOAT, lanes, at + 3 * LANES);
    }
    int end = first + FLOAT.loopBound(dim - first);
    for (int d = first; d < end; d += LANES) {
      long skip = (long) d * bytes;
      FloatVector x =
          format == F32
              ? PageVectors.f32(memory, from + skip)
              : format == F16
                  ? PageVectors.f16(memory, from + skip)
                  : format == BF16
                      ? PageVectors.bf16(memory, from + skip)
                      : PageVectors.q8(memory, from + skip);
      c0 = x.fma(FloatVector.fromArray(FLOAT, q, qAt + d), c0);
      c1 = x.fma(FloatVector.fromArray(FLOAT, q, qAt + dim + d), c1);
      c2 = x.fma(FloatVector.fromArray(FLOAT, q, qAt + 2 * dim + d), c2);
      c3 = x.fma(FloatVector.fromArray(FLOAT, q, qAt + 3 * dim + d), c3);
    }
    c0.intoArray(lanes, at);
    c1.intoArray(lanes, at + LANES);
    c2.intoArray(lanes, at + 2 * LANES);
    c3.intoArray(lanes, at + 3 * LANES);
  }

  private void scale(
      MemorySegment memory, long offset, int capacity, int slot, int count, float[] s, int at) {
    for (int k = 0; k < count; k++) {
      float scale = PageFormat.scale(memory, offset, capacity, dim, slot + k);
      FloatVector.fromArray(QUAD, s, at + 4 * k).mul(scale).intoArray(s, at + 4 * k);
    }
  }
}
