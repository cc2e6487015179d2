package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.attention.PageFormat.Q8;
import static io.attention4j.kernels.cpu.simd.RowBlocks.BLOCK;
import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static jdk.incubator.vector.VectorOperators.EQ;

import io.attention4j.kernels.cpu.attention.PageFormat;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Weighted sums of values for four query rows, read straight from a page: lanes along the elements
 * of a value, the sums of a block in registers over a strip of keys. A weight of zero hides its
 * value whatever that holds: vectors multiply it nevertheless, so where an element of a strip is
 * not finite they are not used.
 */
final class ValueSums {
  /** Keys per strip of one block: sums are loaded and stored once for them. */
  private static final int LONG_STRIP = 64;

  /** Keys per strip otherwise, see {@link KeyDots}. */
  private static final int SHORT_STRIP = 16;

  /** One key's weights of four rows. */
  private static final VectorSpecies<Float> QUAD = FloatVector.SPECIES_128;

  private final PageFormat format;
  private final RowBlocks layout;
  private final int dim;
  // Floats of a row's sums that no block covers, padded to pairs of vectors.
  private final int tail;
  private final int stripKeys;

  /** Sums of values of a layout. */
  ValueSums(PageFormat format, RowBlocks layout) {
    this.format = format;
    this.layout = layout;
    dim = layout.dim;
    tail = Math.ceilDiv(dim - layout.covered, 2 * LANES) * 2 * LANES;
    stripKeys = layout.blocks == 1 ? LONG_STRIP : SHORT_STRIP;
  }

  /** Floats of the sums of four rows. */
  int sumFloats() {
    return 4 * (layout.covered + tail);
  }

  /** Floats of the scratch memory for rows that {@link #add} needs. */
  int rowFloats() {
    return stripKeys * tail;
  }

  /** What weights are to be multiplied by. */
  float weightFactor() {
    return layout.spread;
  }

  /** Takes the sums of one of four rows out of the order of registers. */
  void unpack(float[] sums, int at, int row, float[] to, int toAt) {
    int[] order = layout.order;
    for (int b = 0; b < layout.blocks; b++) {
      int from = at + (b * 4 + row) * BLOCK;
      for (int i = 0; i < BLOCK; i++) {
        to[toAt + b * BLOCK + order[i]] = layout.spread * sums[from + i];
      }
    }
    for (int d = 0; d < dim - layout.covered; d++) {
      to[toAt + layout.covered + d] =
          sums[at + 4 * layout.covered + row * tail + d] / layout.spread;
    }
  }

  /**
   * sums[r] += sum_k weights[k][r] * value[slot + k] for k in [0, count).
   *
   * @param offset byte where the page's values begin
   * @param weights [., 4] from {@code weightsAt}; for Q8 pages they are multiplied by the slots'
   *     scales, in place
   * @param sums {@link #sumFloats} floats from {@code at} in the order of registers, and one float
   *     at the array's end
   * @param rows {@link #rowFloats} floats of scratch memory
   */
  void add(
      MemorySegment memory,
      long offset,
      int capacity,
      int slot,
      int count,
      float[] weights,
      int weightsAt,
      float[] sums,
      int at,
      float[] rows) {
    if (format == Q8) {
      scale(memory, offset, capacity, slot, count, weights, weightsAt);
    }
    long stride = (long) dim * format.elementBytes();
    for (int k = 0; k < count; k += stripKeys) {
      int strip = Math.min(stripKeys, count - k);
      long from = offset + (slot + k) * stride;
      int w = weightsAt + 4 * k;
      addBlocks(memory, from, stride, strip, weights, w, sums, at);
      if (tail > 0) {
        addTail(memory, from, stride, strip, weights, w, sums, at + 4 * layout.covered, rows);
      }
    }
  }

  private void addBlocks(
      MemorySegment memory,
      long from,
      long stride,
      int keys,
      float[] weights,
      int w,
      float[] sums,
      int at) {
    long bytes = layout.blockBytes();
    for (int b = 0; b < layout.blocks; b++) {
      long ahead = b + 1 < layout.blocks ? bytes : 0;
      long halfAhead = layout.blocks == 1 ? HalfBlocks.NO_TOUCH : ahead;
      int to = at + b * 4 * BLOCK;
      long block = from + b * bytes;
      boolean added =
          switch (format) {
            case F32 ->
                FloatBlocks.values(memory, block, stride, keys, weights, w, sums, to, ahead);
            case F16 ->
                HalfBlocks.values(
                    false, memory, block, stride, keys, weights, w, sums, to, halfAhead);
            case BF16 ->
                HalfBlocks.values(
                    true, memory, block, stride, keys, weights, w, sums, to, halfAhead);
            case Q8 -> {
              CodeBlocks.values(memory, block, stride, keys, weights, w, sums, to, ahead);
              yield true;
            }
          };
      if (!added) {
        for (int i = 0; i < BLOCK; i++) {
          long element = block + (long) layout.order[i] * format.elementBytes();
          addElement(memory, element, stride, keys, weights, w, layout.unit(), sums, to + i, BLOCK);
        }
      }
    }
  }

  /** Elements that no block covers; their sums are {@link #tail} floats a row. */
  private void addTail(
      MemorySegment memory,
      long from,
      long stride,
      int keys,
      float[] weights,
      int w,
      float[] sums,
      int at,
      float[] rows) {
    int first = layout.covered;
    RowFloats.read(format, memory, from, stride, keys, first, dim, rows, tail);
    for (int k = 0; tail > dim - first && k < keys; k++) {
      Arrays.fill(rows, k * tail + dim - first, (k + 1) * tail, 0);
    }
    for (int d = 0; d < tail; d += 2 * LANES) {
      if (!sums(rows, d, tail, keys, weights, w, sums, at + d)) {
        addExactly(memory, from, stride, keys, weights, w, d, sums, at + d);
      }
    }
  }

  private void addExactly(
      MemorySegment memory,
      long from,
      long stride,
      int keys,
      float[] weights,
      int w,
      int d,
      float[] sums,
      int at) {
    for (int i = 0; i < Math.min(2 * LANES, dim - layout.covered - d); i++) {
      long element = from + (long) (layout.covered + d + i) * format.elementBytes();
      addElement(memory, element, stride, keys, weights, w, 1, sums, at + i, tail);
    }
  }

  /** One element of every key, for rows whose sums are {@code rowStride} apart. */
  private void addElement(
      MemorySegment memory,
      long from,
      long stride,
      int keys,
      float[] weights,
      int w,
      float unit,
      float[] sums,
      int at,
      int rowStride) {
    for (int k = 0; k < keys; k++) {
      float x = unit * RowFloats.element(format, memory, from + k * stride);
      for (int r = 0; r < 4; r++) {
        float weight = weights[w + 4 * k + r];
        if (weight != 0) {
          sums[at + r * rowStride] += weight * x;
        }
      }
    }
  }

  /**
   * Two vectors of elements at a time, so that the method is too large for C2 to inline: added to
   * the graph of its caller, some of its vectors would end up in objects.
   */
  private static boolean sums(
      float[] rows, int d, int width, int keys, float[] weights, int w, float[] sums, int at) {
    FloatVector c00 = FloatVector.fromArray(FLOAT, sums, at);
    FloatVector c01 = FloatVector.fromArray(FLOAT, sums, at + LANES);
    FloatVector c10 = FloatVector.fromArray(FLOAT, sums, at + width);
    FloatVector c11 = FloatVector.fromArray(FLOAT, sums, at + width + LANES);
    FloatVector c20 = FloatVector.fromArray(FLOAT, sums, at + 2 * width);
    FloatVector c21 = FloatVector.fromArray(FLOAT, sums, at + 2 * width + LANES);
    FloatVector c30 = FloatVector.fromArray(FLOAT, sums, at + 3 * width);
    FloatVector c31 = FloatVector.fromArray(FLOAT, sums, at + 3 * width + LANES);
    FloatVector zero = FloatVector.zero(FLOAT);
    FloatVector seen = zero;
    for (int k = 0; k < keys; k++) {
      FloatVector x0 = FloatVector.fromArray(FLOAT, rows, d + k * width);
      FloatVector x1 = FloatVector.fromArray(FLOAT, rows, d + k * width + LANES);
      // Infinities and NaN times 0 are NaN, and stay so.
      seen = x1.fma(zero, x0.fma(zero, seen));
      FloatVector y = FloatVector.broadcast(FLOAT, weights[w + 4 * k]);
      c00 = x0.fma(y, c00);
      c01 = x1.fma(y, c01);
      y = FloatVector.broadcast(FLOAT, weights[w + 4 * k + 1]);
      c10 = x0.fma(y, c10);
      c11 = x1.fma(y, c11);
      y = FloatVector.broadcast(FLOAT, weights[w + 4 * k + 2]);
      c20 = x0.fma(y, c20);
      c21 = x1.fma(y, c21);
      y = FloatVector.broadcast(FLOAT, weights[w + 4 * k + 3]);
      c30 = x0.fma(y, c30);
      c31 = x1.fma(y, c31);
    }
    if (!seen.compare(EQ, 0f).allTrue()) {
      return false;
    }
    c00.intoArray(sums, at);
    c01.intoArray(sums, at + LANES);
    c10.intoArray(sums, at + width);
    c11.intoArray(sums, at + width + LANES);
    c20.intoArray(sums, at + 2 * width);
    c21.intoArray(sums, at + 2 * width + LANES);
    c30.intoArray(sums, at + 3 * width);
    c31.intoArray(sums, at + 3 * width + LANES);
    return true;
  }

  private void scale(
      MemorySegment memory,
      long offset,
      int capacity,
      int slot,
      int count,
      float[] weights,
      int weightsAt) {
    for (int k = 0; k < count; k++) {
      float scale = PageFormat.scale(memory, offset, capacity, dim, slot + k);
      int at = weightsAt + 4 * k;
      if (Float.isFinite(scale)) {
        FloatVector.fromArray(QUAD, weights, at).mul(scale).intoArray(weights, at);
      } else {
        for (int i = at; i < at + 4; i++) {
          weights[i] = weights[i] == 0 ? 0 : weights[i] * scale;
        }
      }
    }
  }
}
