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

/**
 * Weighted sums of values for a few query rows, read straight from a page: lanes along the elements
 * of a value, two vectors for four rows in registers over a strip of keys that stays in the L1
 * cache.
 */
final class ValueSums {
  /** Distance of two rows of p. */
  private static final int KEYS = TileTable.KEYS;

  /** Keys per strip: 16 KiB of F32 values of 128 elements. */
  private static final int STRIP = 32;

  private ValueSums() {}

  /**
   * out[r] += sum_k p[r][column + k] * value[slot + k] for k in [0, count).
   *
   * @param offset byte where the page's values begin
   * @param p weights [rows, KEYS]; for Q8 pages they are multiplied by the slots' scales, in place
   * @param out [rows, dim]
   */
  static void add(
      PageFormat format,
      MemorySegment memory,
      long offset,
      int capacity,
      int dim,
      int slot,
      int count,
      float[] p,
      int column,
      int rows,
      float[] out) {
    if (format == Q8) {
      scale(memory, offset, capacity, dim, slot, count, rows, p, column);
    }
    for (int k = 0; k < count; k += STRIP) {
      int strip = Math.min(STRIP, count - k);
      addStrip(format, memory, offset, dim, slot + k, strip, p, column + k, rows, out);
    }
  }

  private static void addStrip(
      PageFormat format,
      MemorySegment memory,
      long offset,
      int dim,
      int slot,
      int count,
      float[] p,
      int column,
      int rows,
      float[] out) {
    int bytes = format.elementBytes();
    long stride = (long) dim * bytes;
    long from = offset + slot * stride;
    int d = 0;
    for (; d + 2 * LANES <= dim; d += 2 * LANES) {
      int r = 0;
      for (; r + 4 <= rows; r += 4) {
        sums4x2(
            format,
            memory,
            from + (long) d * bytes,
            stride,
            count,
            p,
            r * KEYS + column,
            out,
            r * dim + d,
            dim);
      }
      for (; r < rows; r++) {
        sums1x2(
            format,
            memory,
            from + (long) d * bytes,
            stride,
            count,
            p,
            r * KEYS + column,
            out,
            r * dim + d,
            dim);
      }
    }
    if (d + LANES <= dim) {
      for (int r = 0; r < rows; r++) {
        sums1x1(
            format,
            memory,
            from + (long) d * bytes,
            stride,
            count,
            p,
            r * KEYS + column,
            out,
            r * dim + d,
            dim);
      }
      d += LANES;
    }
    for (; d < dim; d++) {
      for (int k = 0; k < count; k++) {
        float x = PageVectors.element(format, memory, from + k * stride + (long) d * bytes);
        for (int r = 0; r < rows; r++) {
          out[r * dim + d] += p[r * KEYS + column + k] * x;
        }
      }
    }
  }

  private static void sums4x2(
      PageFormat format,
      MemorySegment memory,
      long from,
      long stride,
      int count,
      float[] p,
      int pAt,
      float[] out,
      int outAt,
      int dim) {
    FloatVector c00 = FloatVector.fromArray(FLOAT, out, outAt);
    FloatVector c01 = FloatVector.fromArray(FLOAT, out, outAt + LANES);
    FloatVector c10 = FloatVector.fromArray(FLOAT, out, outAt + dim);
    FloatVector c11 = FloatVector.fromArray(FLOAT, out, outAt + dim + LANES);
    FloatVector c20 = FloatVector.fromArray(FLOAT, out, outAt + 2 * dim);
    FloatVector c21 = FloatVector.fromArray(FLOAT, out, outAt + 2 * dim + LANES);
    FloatVector c30 = FloatVector.fromArray(FLOAT, out, outAt + 3 * dim);
    FloatVector c31 = FloatVector.fromArray(FLOAT, out, outAt + 3 * dim + LANES);
    int step = LANES * format.elementBytes();
    for (int k = 0; k < count; k++) {
      long at = from + k * stride;
      FloatVector x0 =
          format == F32
              ? PageVectors.f32(memory, at)
              : format == F16
                  ? PageVectors.f16(memory, at)
                  : format == BF16 ? PageVectors.bf16(memory, at) : PageVectors.q8(memory, at);
      FloatVector x1 =
          format == F32
              ? PageVectors.f32(memory, at + step)
              : format == F16
                  ? PageVectors.f16(memory, at + step)
                  : format == BF16
                      ? PageVectors.bf16(memory, at + step)
                      : PageVectors.q8(memory, at + step);
      FloatVector y = FloatVector.broadcast(FLOAT, p[pAt + k]);
      c00 = x0.fma(y, c00);
      c01 = x1.fma(y, c01);
      y = FloatVector.broadcast(FLOAT, p[pAt + KEYS + k]);
      c10 = x0.fma(y, c10);
      c11 = x1.fma(y, c11);
      y = FloatVector.broadcast(FLOAT, p[pAt + 2 * KEYS + k]);
      c20 = x0.fma(y, c20);
      c21 = x1.fma(y, c21);
      y = FloatVector.broadcast(FLOAT, p[pAt + 3 * KEYS + k]);
      c30 = x0.fma(y, c30);
      c31 = x1.fma(y, c31);
    }
    c00.intoArray(out, outAt);
    c01.intoArray(out, outAt + LANES);
    c10.intoArray(out, outAt + dim);
    c11.intoArray(out, outAt + dim + LANES);
    c20.intoArray(out, outAt + 2 * dim);
    c21.intoArray(out, outAt + 2 * dim + LANES);
    c30.intoArray(out, outAt + 3 * dim);
    c31.intoArray(out, outAt + 3 * dim + LANES);
  }

  private static void sums1x2(
      PageFormat format,
      MemorySegment memory,
      long from,
      long stride,
      int count,
      float[] p,
      int pAt,
      float[] out,
      int outAt,
      int dim) {
    FloatVector c00 = FloatVector.fromArray(FLOAT, out, outAt);
    FloatVector c01 = FloatVector.fromArray(FLOAT, out, outAt + LANES);
    int step = LANES * format.elementBytes();
    for (int k = 0; k < count; k++) {
      long at = from + k * stride;
      FloatVector x0 =
          format == F32
              ? PageVectors.f32(memory, at)
              : format == F16
                  ? PageVectors.f16(memory, at)
                  : format == BF16 ? PageVectors.bf16(memory, at) : PageVectors.q8(memory, at);
      FloatVector x1 =
          format == F32
              ? PageVectors.f32(memory, at + step)
              : format == F16
                  ? PageVectors.f16(memory, at + step)
                  : format == BF16
                      ? PageVectors.bf16(memory, at + step)
                      : PageVectors.q8(memory, at + step);
      FloatVector y = FloatVector.broadcast(FLOAT, p[pAt + k]);
      c00 = x0.fma(y, c00);
      c01 = x1.fma(y, c01);
    }
    c00.intoArray(out, outAt);
    c01.intoArray(out, outAt + LANES);
  }

  private static void sums1x1(
      PageFormat format,
      MemorySegment memory,
      long from,
      long stride,
      int count,
      float[] p,
      int pAt,
      float[] out,
      int outAt,
      int dim) {
    FloatVector c00 = FloatVector.fromArray(FLOAT, out, outAt);
    for (int k = 0; k < count; k++) {
      long at = from + k * stride;
      FloatVector x0 =
          format == F32
              ? PageVectors.f32(memory, at)
              : format == F16
                  ? PageVectors.f16(memory, at)
                  : format == BF16 ? PageVectors.bf16(memory, at) : PageVectors.q8(memory, at);
      FloatVector y = FloatVector.broadcast(FLOAT, p[pAt + k]);
      c00 = x0.fma(y, c00);
    }
    c00.intoArray(out, outAt);
  }

  private static void scale(
      MemorySegment memory,
      long offset,
      int capacity,
      int dim,
      int slot,
      int count,
      int rows,
      float[] p,
      int column) {
    for (int k = 0; k < count; k++) {
      float scale = PageFormat.scale(memory, offset, capacity, dim, slot + k);
      for (int r = 0; r < rows; r++) {
        p[r * KEYS + column + k] *= scale;
      }
    }
  }
}
