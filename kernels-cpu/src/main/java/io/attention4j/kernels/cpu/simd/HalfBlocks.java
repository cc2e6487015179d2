package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.INT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static io.attention4j.kernels.cpu.simd.Species.SHORT;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.GE;
import static jdk.incubator.vector.VectorOperators.LSHL;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * The blocks of {@link RowBlocks} for 16-bit pages. A vector of ints holds two elements per lane,
 * which shifts separate; half precision moves to its place in a float and is left 2^112 too small,
 * which the other factor makes up for. Infinities and NaN, for which that is no float, are looked
 * for on the way: an exponent of ones is the largest.
 *
 * <p>While the first block of a row is read, the next is touched: rows then arrive from memory in
 * the order in which they lie, which is what hardware prefetchers follow; skipping every other line
 * costs half the bandwidth.
 */
final class HalfBlocks {
  /** Rows of one block follow one another without touching; it would only take time. */
  static final long NO_TOUCH = -1;

  private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;
  private static final ValueLayout.OfInt TOUCH = ValueLayout.JAVA_INT_UNALIGNED;
  private static final int SIGN_AND_MAGNITUDE = 0x8fffe000;
  private static final int HIGH = 0xffff0000;
  private static final short MAGNITUDE = 0x7fff;
  private static final short HALF_SPECIAL = 0x7c00;
  private static final short BRAIN_SPECIAL = 0x7f80;

  private HalfBlocks() {}

  /**
   * lanes[k][r] (+)= the products of block and q[r], element by element.
   *
   * @param brain whether elements are bfloat16
   * @param from byte of the first key's block
   * @param q [4 rows][4 * LANES] from {@code qAt}
   * @param lanes [keys][4][LANES] and one float more
   * @param add whether to add to lanes or to overwrite them
   * @param ahead distance in bytes of the block to touch, or {@link #NO_TOUCH}
   * @return whether all elements are finite; if not, lanes mean nothing
   */
  static boolean scores(
      boolean brain,
      MemorySegment memory,
      long from,
      long stride,
      int keys,
      float[] q,
      int qAt,
      float[] lanes,
      boolean add,
      long ahead) {
    if (!memory.isNative()) {
      throw NativeMemory.required();
    }
    FloatVector q00 = FloatVector.fromArray(FLOAT, q, qAt);
    FloatVector q01 = FloatVector.fromArray(FLOAT, q, qAt + LANES);
    FloatVector q02 = FloatVector.fromArray(FLOAT, q, qAt + 2 * LANES);
    FloatVector q03 = FloatVector.fromArray(FLOAT, q, qAt + 3 * LANES);
    FloatVector q10 = FloatVector.fromArray(FLOAT, q, qAt + 4 * LANES);
    FloatVector q11 = FloatVector.fromArray(FLOAT, q, qAt + 5 * LANES);
    FloatVector q12 = FloatVector.fromArray(FLOAT, q, qAt + 6 * LANES);
    FloatVector q13 = FloatVector.fromArray(FLOAT, q, qAt + 7 * LANES);
    FloatVector q20 = FloatVector.fromArray(FLOAT, q, qAt + 8 * LANES);
    FloatVector q21 = FloatVector.fromArray(FLOAT, q, qAt + 9 * LANES);
    FloatVector q22 = FloatVector.fromArray(FLOAT, q, qAt + 10 * LANES);
    FloatVector q23 = FloatVector.fromArray(FLOAT, q, qAt + 11 * LANES);
    FloatVector q30 = FloatVector.fromArray(FLOAT, q, qAt + 12 * LANES);
    FloatVector q31 = FloatVector.fromArray(FLOAT, q, qAt + 13 * LANES);
    FloatVector q32 = FloatVector.fromArray(FLOAT, q, qAt + 14 * LANES);
    FloatVector q33 = FloatVector.fromArray(FLOAT, q, qAt + 15 * LANES);
    ShortVector seen = ShortVector.zero(SHORT);
    // Not a choice in the loop: C2 keeps vectors that come from two branches in objects.
    int shift = brain ? 0 : 3;
    int mask = brain ? HIGH : SIGN_AND_MAGNITUDE;
    boolean touches = ahead != NO_TOUCH;
    int touched = 0;
    for (int k = 0; k < keys; k++) {
      long row = from + k * stride;
      IntVector w0 = IntVector.fromMemorySegment(INT, memory, row, ORDER);
      IntVector w1 = IntVector.fromMemorySegment(INT, memory, row + 4 * LANES, ORDER);
      if (touches) {
        touched |= memory.get(TOUCH, row + ahead) | memory.get(TOUCH, row + ahead + 4 * LANES);
      }
      ShortVector h = w0.reinterpretAsShorts();
      seen = seen.max(h.and(MAGNITUDE));
      h = w1.reinterpretAsShorts();
      seen = seen.max(h.and(MAGNITUDE));
      FloatVector x0 = w0.lanewise(LSHL, 16).lanewise(ASHR, shift).and(mask).reinterpretAsFloats();
      FloatVector x1 = w0.lanewise(ASHR, shift).and(mask).reinterpretAsFloats();
      FloatVector x2 = w1.lanewise(LSHL, 16).lanewise(ASHR, shift).and(mask).reinterpretAsFloats();
      FloatVector x3 = w1.lanewise(ASHR, shift).and(mask).reinterpretAsFloats();
      int at = k * 4 * LANES;
      FloatVector c0 = FloatVector.zero(FLOAT);
      FloatVector c1 = FloatVector.zero(FLOAT);
      FloatVector c2 = FloatVector.zero(FLOAT);
      FloatVector c3 = FloatVector.zero(FLOAT);
      if (add) {
        c0 = FloatVector.fromArray(FLOAT, lanes, at);
        c1 = FloatVector.fromArray(FLOAT, lanes, at + LANES);
        c2 = FloatVector.fromArray(FLOAT, lanes, at + 2 * LANES);
        c3 = FloatVector.fromArray(FLOAT, lanes, at + 3 * LANES);
      }
      c0 = x0.fma(q00, c0);
      c1 = x0.fma(q10, c1);
      c2 = x0.fma(q20, c2);
      c3 = x0.fma(q30, c3);
      c0 = x1.fma(q01, c0);
      c1 = x1.fma(q11, c1);
      c2 = x1.fma(q21, c2);
      c3 = x1.fma(q31, c3);
      c0 = x2.fma(q02, c0);
      c1 = x2.fma(q12, c1);
      c2 = x2.fma(q22, c2);
      c3 = x2.fma(q32, c3);
      x3.fma(q03, c0).intoArray(lanes, at);
      x3.fma(q13, c1).intoArray(lanes, at + LANES);
      x3.fma(q23, c2).intoArray(lanes, at + 2 * LANES);
      x3.fma(q33, c3).intoArray(lanes, at + 3 * LANES);
    }
    lanes[lanes.length - 1] = touched;
    return !seen.compare(GE, brain ? BRAIN_SPECIAL : HALF_SPECIAL).anyTrue();
  }

  /**
   * sums[r] += sum_k weights[k][r] * block[k].
   *
   * @param weights [keys][4] from {@code weightsAt}
   * @param sums [4][4 * LANES] from {@code at}, and one float more at the array's end
   * @return whether all elements are finite; if not, sums are as they were
   */
  static boolean values(
      boolean brain,
      MemorySegment memory,
      long from,
      long stride,
      int keys,
      float[] weights,
      int weightsAt,
      float[] sums,
      int at,
      long ahead) {
    if (!memory.isNative()) {
      throw NativeMemory.required();
    }
    FloatVector c00 = FloatVector.fromArray(FLOAT, sums, at);
    FloatVector c01 = FloatVector.fromArray(FLOAT, sums, at + LANES);
    FloatVector c02 = FloatVector.fromArray(FLOAT, sums, at + 2 * LANES);
    FloatVector c03 = FloatVector.fromArray(FLOAT, sums, at + 3 * LANES);
    FloatVector c10 = FloatVector.fromArray(FLOAT, sums, at + 4 * LANES);
    FloatVector c11 = FloatVector.fromArray(FLOAT, sums, at + 5 * LANES);
    FloatVector c12 = FloatVector.fromArray(FLOAT, sums, at + 6 * LANES);
    FloatVector c13 = FloatVector.fromArray(FLOAT, sums, at + 7 * LANES);
    FloatVector c20 = FloatVector.fromArray(FLOAT, sums, at + 8 * LANES);
    FloatVector c21 = FloatVector.fromArray(FLOAT, sums, at + 9 * LANES);
    FloatVector c22 = FloatVector.fromArray(FLOAT, sums, at + 10 * LANES);
    FloatVector c23 = FloatVector.fromArray(FLOAT, sums, at + 11 * LANES);
    FloatVector c30 = FloatVector.fromArray(FLOAT, sums, at + 12 * LANES);
    FloatVector c31 = FloatVector.fromArray(FLOAT, sums, at + 13 * LANES);
    FloatVector c32 = FloatVector.fromArray(FLOAT, sums, at + 14 * LANES);
    FloatVector c33 = FloatVector.fromArray(FLOAT, sums, at + 15 * LANES);
    ShortVector seen = ShortVector.zero(SHORT);
    // Not a choice in the loop: C2 keeps vectors that come from two branches in objects.
    int shift = brain ? 0 : 3;
    int mask = brain ? HIGH : SIGN_AND_MAGNITUDE;
    boolean touches = ahead != NO_TOUCH;
    int touched = 0;
    for (int k = 0; k < keys; k++) {
      long row = from + k * stride;
      IntVector w0 = IntVector.fromMemorySegment(INT, memory, row, ORDER);
      IntVector w1 = IntVector.fromMemorySegment(INT, memory, row + 4 * LANES, ORDER);
      if (touches) {
        touched |= memory.get(TOUCH, row + ahead) | memory.get(TOUCH, row + ahead + 4 * LANES);
      }
      ShortVector h = w0.reinterpretAsShorts();
      seen = seen.max(h.and(MAGNITUDE));
      h = w1.reinterpretAsShorts();
      seen = seen.max(h.and(MAGNITUDE));
      FloatVector x0 = w0.lanewise(LSHL, 16).lanewise(ASHR, shift).and(mask).reinterpretAsFloats();
      FloatVector x1 = w0.lanewise(ASHR, shift).and(mask).reinterpretAsFloats();
      FloatVector x2 = w1.lanewise(LSHL, 16).lanewise(ASHR, shift).and(mask).reinterpretAsFloats();
      FloatVector x3 = w1.lanewise(ASHR, shift).and(mask).reinterpretAsFloats();
      FloatVector y = FloatVector.broadcast(FLOAT, weights[weightsAt + 4 * k]);
      c00 = x0.fma(y, c00);
      c01 = x1.fma(y, c01);
      c02 = x2.fma(y, c02);
      c03 = x3.fma(y, c03);
      y = FloatVector.broadcast(FLOAT, weights[weightsAt + 4 * k + 1]);
      c10 = x0.fma(y, c10);
      c11 = x1.fma(y, c11);
      c12 = x2.fma(y, c12);
      c13 = x3.fma(y, c13);
      y = FloatVector.broadcast(FLOAT, weights[weightsAt + 4 * k + 2]);
      c20 = x0.fma(y, c20);
      c21 = x1.fma(y, c21);
      c22 = x2.fma(y, c22);
      c23 = x3.fma(y, c23);
      y = FloatVector.broadcast(FLOAT, weights[weightsAt + 4 * k + 3]);
      c30 = x0.fma(y, c30);
      c31 = x1.fma(y, c31);
      c32 = x2.fma(y, c32);
      c33 = x3.fma(y, c33);
    }
    sums[sums.length - 1] = touched;
    if (seen.compare(GE, brain ? BRAIN_SPECIAL : HALF_SPECIAL).anyTrue()) {
      return false;
    }
    c00.intoArray(sums, at);
    c01.intoArray(sums, at + LANES);
    c02.intoArray(sums, at + 2 * LANES);
    c03.intoArray(sums, at + 3 * LANES);
    c10.intoArray(sums, at + 4 * LANES);
    c11.intoArray(sums, at + 5 * LANES);
    c12.intoArray(sums, at + 6 * LANES);
    c13.intoArray(sums, at + 7 * LANES);
    c20.intoArray(sums, at + 8 * LANES);
    c21.intoArray(sums, at + 9 * LANES);
    c22.intoArray(sums, at + 10 * LANES);
    c23.intoArray(sums, at + 11 * LANES);
    c30.intoArray(sums, at + 12 * LANES);
    c31.intoArray(sums, at + 13 * LANES);
    c32.intoArray(sums, at + 14 * LANES);
    c33.intoArray(sums, at + 15 * LANES);
    return true;
  }
}
