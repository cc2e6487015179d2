package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.attention.PageFormat.BF16;
import static io.attention4j.kernels.cpu.attention.PageFormat.F16;
import static io.attention4j.kernels.cpu.attention.PageFormat.F32;
import static io.attention4j.kernels.cpu.attention.PageFormat.Q8;
import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.kernels.cpu.attention.PageFormat;
import io.attention4j.kernels.cpu.attention.TileTable;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/**
 * Scores of a few query rows, read straight from a page: lanes along the elements of a key, so that
 * a key is read once and converted once for four rows. Blocks are 2 keys x 4 rows; larger ones lose
 * to spills. The lanes of {@link Species#LANES} keys are then added up together, pair by pair,
 * since reduceLanes(ADD) fixes no order and gives other bits once it is compiled.
 */
final class KeyDots {
  /** Distance of two rows of s. */
  private static final int KEYS = TileTable.KEYS;

  /** Floats of the lane sums of LANES keys and one row. */
  private static final int SQUARE = LANES * LANES;

  /** Floats of the scratch memory that {@link #scores} needs. */
  static final int SCRATCH = 4 * SQUARE;

  private static final VectorMask<Float> ODD_1 = odd(1);
  private static final VectorMask<Float> ODD_2 = odd(2);
  private static final VectorMask<Float> ODD_4 = odd(4);
  private static final VectorMask<Float> ODD_8 = odd(8);
  private static final VectorShuffle<Float> SWAP_1 = swap(1);
  private static final VectorShuffle<Float> SWAP_2 = swap(2);
  private static final VectorShuffle<Float> SWAP_4 = swap(4);
  private static final VectorShuffle<Float> SWAP_8 = swap(8);

  private KeyDots() {}

  private static VectorMask<Float> odd(int distance) {
    boolean[] bits = new boolean[LANES];
    for (int i = 0; i < LANES; i++) {
      bits[i] = (i & distance) != 0;
    }
    return VectorMask.fromArray(FLOAT, bits, 0);
  }

  private static VectorShuffle<Float> swap(int distance) {
    return VectorShuffle.fromOp(FLOAT, i -> (i ^ distance) % LANES);
  }

  /**
   * s[r][column + k] = q[r] . key[slot + k] for k in [0, count).
   *
   * @param offset byte where the page's keys begin
   * @param q [rows, dim]
   * @param s [rows, KEYS]
   * @param scratch {@link #SCRATCH} floats
   */
  static void scores(
      PageFormat format,
      MemorySegment memory,
      long offset,
      int capacity,
      int dim,
      int slot,
      int count,
      float[] q,
      int rows,
      float[] s,
      int column,
      float[] scratch) {
    for (int k = 0; k < count; k += LANES) {
      int strip = Math.min(LANES, count - k);
      long from = offset + (long) (slot + k) * dim * format.elementBytes();
      int r = 0;
      for (; r + 4 <= rows; r += 4) {
        fourRows(format, memory, from, dim, strip, q, r * dim, scratch);
        addLanes(scratch, 4 * LANES);
        store(scratch, 4, strip, s, r * KEYS + column + k);
      }
      for (; r < rows; r++) {
        oneRow(format, memory, from, dim, strip, q, r * dim, scratch);
        addLanes(scratch, LANES);
        store(scratch, 1, strip, s, r * KEYS + column + k);
      }
    }
    if (dim % LANES != 0) {
      addTails(format, memory, offset, dim, slot, count, q, rows, s, column);
    }
    if (format == Q8) {
      scale(memory, offset, capacity, dim, slot, count, rows, s, column);
    }
  }

  private static void fourRows(
      PageFormat format,
      MemorySegment memory,
      long from,
      int dim,
      int strip,
      float[] q,
      int qAt,
      float[] lanes) {
    long keyBytes = (long) dim * format.elementBytes();
    int k = 0;
    for (; k + 2 <= strip; k += 2) {
      dots2x4(format, memory, from + k * keyBytes, dim, q, qAt, lanes, k * LANES);
    }
    if (k < strip) {
      dots1x4(format, memory, from + k * keyBytes, dim, q, qAt, lanes, k * LANES);
    }
  }

  private static void oneRow(
      PageFormat format,
      MemorySegment memory,
      long from,
      int dim,
      int strip,
      float[] q,
      int qAt,
      float[] lanes) {
    long keyBytes = (long) dim * format.elementBytes();
    int k = 0;
    for (; k + 2 <= strip; k += 2) {
      dots2x1(format, memory, from + k * keyBytes, dim, q, qAt, lanes, k * LANES);
    }
    if (k < strip) {
      dots1x1(format, memory, from + k * keyBytes, dim, q, qAt, lanes, k * LANES);
    }
  }

  /**
   * Vectors [count] to sums [count], in place: every pass adds neighbours and halves the vectors.
   */
  private static void addLanes(float[] x, int count) {
    addPairs1(x, count / 2);
    addPairs2(x, count / 4);
    if (LANES > 4) {
      addPairs4(x, count / 8);
    }
    if (LANES > 8) {
      addPairs8(x, count / 16);
    }
  }

  private static void addPairs1(float[] x, int pairs) {
    for (int i = 0; i < pairs; i++) {
      FloatVector a = FloatVector.fromArray(FLOAT, x, 2 * i * LANES);
      FloatVector b = FloatVector.fromArray(FLOAT, x, (2 * i + 1) * LANES);
      FloatVector others = b.blend(a, ODD_1).rearrange(SWAP_1);
      a.blend(b, ODD_1).add(others).intoArray(x, i * LANES);
    }
  }

  private static void addPairs2(float[] x, int pairs) {
    for (int i = 0; i < pairs; i++) {
      FloatVector a = FloatVector.fromArray(FLOAT, x, 2 * i * LANES);
      FloatVector b = FloatVector.fromArray(FLOAT, x, (2 * i + 1) * LANES);
      FloatVector others = b.blend(a, ODD_2).rearrange(SWAP_2);
      a.blend(b, ODD_2).add(others).intoArray(x, i * LANES);
    }
  }

  private static void addPairs4(float[] x, int pairs) {
    for (int i = 0; i < pairs; i++) {
      FloatVector a = FloatVector.fromArray(FLOAT, x, 2 * i * LANES);
      FloatVector b = FloatVector.fromArray(FLOAT, x, (2 * i + 1) * LANES);
      FloatVector others = b.blend(a, ODD_4).rearrange(SWAP_4);
      a.blend(b, ODD_4).add(others).intoArray(x, i * LANES);
    }
  }

  private static void addPairs8(float[] x, int pairs) {
    for (int i = 0; i < pairs; i++) {
      FloatVector a = FloatVector.fromArray(FLOAT, x, 2 * i * LANES);
      FloatVector b = FloatVector.fromArray(FLOAT, x, (2 * i + 1) * LANES);
      FloatVector others = b.blend(a, ODD_8).rearrange(SWAP_8);
      a.blend(b, ODD_8).add(others).intoArray(x, i * LANES);
    }
  }

  private static void store(float[] sums, int rows, int strip, float[] s, int sAt) {
    for (int r = 0; r < rows; r++) {
      if (strip == LANES) {
        FloatVector.fromArray(FLOAT, sums, r * LANES).intoArray(s, sAt + r * KEYS);
      } else {
        System.arraycopy(sums, r * LANES, s, sAt + r * KEYS, strip);
      }
    }
  }

  private static void dots2x4(
      PageFormat format,
      MemorySegment memory,
      long from,
      int dim,
      float[] q,
      int qAt,
      float[] lanes,
      int lanesAt) {
    int bytes = format.elementBytes();
    FloatVector c00 = FloatVector.zero(FLOAT);
    FloatVector c01 = FloatVector.zero(FLOAT);
    FloatVector c10 = FloatVector.zero(FLOAT);
    FloatVector c11 = FloatVector.zero(FLOAT);
    FloatVector c20 = FloatVector.zero(FLOAT);
    FloatVector c21 = FloatVector.zero(FLOAT);
    FloatVector c30 = FloatVector.zero(FLOAT);
    FloatVector c31 = FloatVector.zero(FLOAT);
    long next = from + (long) dim * bytes;
    int vectors = FLOAT.loopBound(dim);
    for (int d = 0; d < vectors; d += LANES) {
      long at = (long) d * bytes;
      FloatVector x0 =
          format == F32
              ? PageVectors.f32(memory, from + at)
              : format == F16
                  ? PageVectors.f16(memory, from + at)
                  : format == BF16
                      ? PageVectors.bf16(memory, from + at)
                      : PageVectors.q8(memory, from + at);
      FloatVector x1 =
          format == F32
              ? PageVectors.f32(memory, next + at)
              : format == F16
                  ? PageVectors.f16(memory, next + at)
                  : format == BF16
                      ? PageVectors.bf16(memory, next + at)
                      : PageVectors.q8(memory, next + at);
      FloatVector y = FloatVector.fromArray(FLOAT, q, qAt + d);
      c00 = x0.fma(y, c00);
      c01 = x1.fma(y, c01);
      y = FloatVector.fromArray(FLOAT, q, qAt + dim + d);
      c10 = x0.fma(y, c10);
      c11 = x1.fma(y, c11);
      y = FloatVector.fromArray(FLOAT, q, qAt + 2 * dim + d);
      c20 = x0.fma(y, c20);
      c21 = x1.fma(y, c21);
      y = FloatVector.fromArray(FLOAT, q, qAt + 3 * dim + d);
      c30 = x0.fma(y, c30);
      c31 = x1.fma(y, c31);
    }
    c00.intoArray(lanes, lanesAt);
    c01.intoArray(lanes, lanesAt + LANES);
    c10.intoArray(lanes, lanesAt + SQUARE);
    c11.intoArray(lanes, lanesAt + SQUARE + LANES);
    c20.intoArray(lanes, lanesAt + 2 * SQUARE);
    c21.intoArray(lanes, lanesAt + 2 * SQUARE + LANES);
    c30.intoArray(lanes, lanesAt + 3 * SQUARE);
    c31.intoArray(lanes, lanesAt + 3 * SQUARE + LANES);
  }

  private static void dots1x4(
      PageFormat format,
      MemorySegment memory,
      long from,
      int dim,
      float[] q,
      int qAt,
      float[] lanes,
      int lanesAt) {
    int bytes = format.elementBytes();
    FloatVector c00 = FloatVector.zero(FLOAT);
    FloatVector c10 = FloatVector.zero(FLOAT);
    FloatVector c20 = FloatVector.zero(FLOAT);
    FloatVector c30 = FloatVector.zero(FLOAT);
    int vectors = FLOAT.loopBound(dim);
    for (int d = 0; d < vectors; d += LANES) {
      long at = (long) d * bytes;
      FloatVector x0 =
          format == F32
              ? PageVectors.f32(memory, from + at)
              : format == F16
                  ? PageVectors.f16(memory, from + at)
                  : format == BF16
                      ? PageVectors.bf16(memory, from + at)
                      : PageVectors.q8(memory, from + at);
      FloatVector y = FloatVector.fromArray(FLOAT, q, qAt + d);
      c00 = x0.fma(y, c00);
      y = FloatVector.fromArray(FLOAT, q, qAt + dim + d);
      c10 = x0.fma(y, c10);
      y = FloatVector.fromArray(FLOAT, q, qAt + 2 * dim + d);
      c20 = x0.fma(y, c20);
      y = FloatVector.fromArray(FLOAT, q, qAt + 3 * dim + d);
      c30 = x0.fma(y, c30);
    }
    c00.intoArray(lanes, lanesAt);
    c10.intoArray(lanes, lanesAt + SQUARE);
    c20.intoArray(lanes, lanesAt + 2 * SQUARE);
    c30.intoArray(lanes, lanesAt + 3 * SQUARE);
  }

  private static void dots2x1(
      PageFormat format,
      MemorySegment memory,
      long from,
      int dim,
      float[] q,
      int qAt,
      float[] lanes,
      int lanesAt) {
    int bytes = format.elementBytes();
    FloatVector c00 = FloatVector.zero(FLOAT);
    FloatVector c01 = FloatVector.zero(FLOAT);
    long next = from + (long) dim * bytes;
    int vectors = FLOAT.loopBound(dim);
    for (int d = 0; d < vectors; d += LANES) {
      long at = (long) d * bytes;
      FloatVector x0 =
          format == F32
              ? PageVectors.f32(memory, from + at)
              : format == F16
                  ? PageVectors.f16(memory, from + at)
                  : format == BF16
                      ? PageVectors.bf16(memory, from + at)
                      : PageVectors.q8(memory, from + at);
      FloatVector x1 =
          format == F32
              ? PageVectors.f32(memory, next + at)
              : format == F16
                  ? PageVectors.f16(memory, next + at)
                  : format == BF16
                      ? PageVectors.bf16(memory, next + at)
                      : PageVectors.q8(memory, next + at);
      FloatVector y = FloatVector.fromArray(FLOAT, q, qAt + d);
      c00 = x0.fma(y, c00);
      c01 = x1.fma(y, c01);
    }
    c00.intoArray(lanes, lanesAt);
    c01.intoArray(lanes, lanesAt + LANES);
  }

  private static void dots1x1(
      PageFormat format,
      MemorySegment memory,
      long from,
      int dim,
      float[] q,
      int qAt,
      float[] lanes,
      int lanesAt) {
    int bytes = format.elementBytes();
    FloatVector c00 = FloatVector.zero(FLOAT);
    int vectors = FLOAT.loopBound(dim);
    for (int d = 0; d < vectors; d += LANES) {
      long at = (long) d * bytes;
      FloatVector x0 =
          format == F32
              ? PageVectors.f32(memory, from + at)
              : format == F16
                  ? PageVectors.f16(memory, from + at)
                  : format == BF16
                      ? PageVectors.bf16(memory, from + at)
                      : PageVectors.q8(memory, from + at);
      FloatVector y = FloatVector.fromArray(FLOAT, q, qAt + d);
      c00 = x0.fma(y, c00);
    }
    c00.intoArray(lanes, lanesAt);
  }

  private static void addTails(
      PageFormat format,
      MemorySegment memory,
      long offset,
      int dim,
      int slot,
      int count,
      float[] q,
      int rows,
      float[] s,
      int column) {
    for (int k = 0; k < count; k++) {
      for (int d = FLOAT.loopBound(dim); d < dim; d++) {
        long element = (long) (slot + k) * dim + d;
        float x = PageVectors.element(format, memory, offset + element * format.elementBytes());
        for (int r = 0; r < rows; r++) {
          s[r * KEYS + column + k] += q[r * dim + d] * x;
        }
      }
    }
  }

  private static void scale(
      MemorySegment memory,
      long offset,
      int capacity,
      int dim,
      int slot,
      int count,
      int rows,
      float[] s,
      int column) {
    for (int k = 0; k < count; k++) {
      float scale = PageFormat.scale(memory, offset, capacity, dim, slot + k);
      for (int r = 0; r < rows; r++) {
        s[r * KEYS + column + k] *= scale;
      }
    }
  }
}
