package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.INT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static jdk.incubator.vector.VectorOperators.GE;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/** The blocks of {@link RowBlocks} for pages of floats; see {@link HalfBlocks} for the methods. */
final class FloatBlocks {
  private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;
  private static final ValueLayout.OfInt TOUCH = ValueLayout.JAVA_INT_UNALIGNED;
  private static final int MAGNITUDE = 0x7fffffff;
  private static final int SPECIAL = 0x7f800000;

  private FloatBlocks() {}

  static void scores(
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
    int touched = 0;
    for (int k = 0; k < keys; k++) {
      long row = from + k * stride;
      FloatVector x0 = FloatVector.fromMemorySegment(FLOAT, memory, row, ORDER);
      FloatVector x1 = FloatVector.fromMemorySegment(FLOAT, memory, row + 4 * LANES, ORDER);
      FloatVector x2 = FloatVector.fromMemorySegment(FLOAT, memory, row + 8 * LANES, ORDER);
      FloatVector x3 = FloatVector.fromMemorySegment(FLOAT, memory, row + 12 * LANES, ORDER);
      touched |=
          memory.get(TOUCH, row + ahead)
              | memory.get(TOUCH, row + ahead + 4 * LANES)
              | memory.get(TOUCH, row + ahead + 8 * LANES)
              | memory.get(TOUCH, row + ahead + 12 * LANES);
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
  }

  static boolean values(
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
    IntVector seen = IntVector.zero(INT);
    int touched = 0;
    for (int k = 0; k < keys; k++) {
      long row = from + k * stride;
      FloatVector x0 = FloatVector.fromMemorySegment(FLOAT, memory, row, ORDER);
      FloatVector x1 = FloatVector.fromMemorySegment(FLOAT, memory, row + 4 * LANES, ORDER);
      FloatVector x2 = FloatVector.fromMemorySegment(FLOAT, memory, row + 8 * LANES, ORDER);
      FloatVector x3 = FloatVector.fromMemorySegment(FLOAT, memory, row + 12 * LANES, ORDER);
      touched |=
          memory.get(TOUCH, row + ahead)
              | memory.get(TOUCH, row + ahead + 4 * LANES)
              | memory.get(TOUCH, row + ahead + 8 * LANES)
              | memory.get(TOUCH, row + ahead + 12 * LANES);
      IntVector bits = x0.reinterpretAsInts();
      seen = seen.max(bits.and(MAGNITUDE));
      bits = x1.reinterpretAsInts();
      seen = seen.max(bits.and(MAGNITUDE));
      bits = x2.reinterpretAsInts();
      seen = seen.max(bits.and(MAGNITUDE));
      bits = x3.reinterpretAsInts();
      seen = seen.max(bits.and(MAGNITUDE));
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
    if (seen.compare(GE, SPECIAL).anyTrue()) {
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
