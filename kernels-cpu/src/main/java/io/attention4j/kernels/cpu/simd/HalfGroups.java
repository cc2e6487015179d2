package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.INT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.LSHL;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * F16 and BF16: one vector per column, lanes as {@link RowGroups} has them; x stays f32. Shifts
 * make f32 of both: exactly of BF16, 2^-112 of the value of F16. x brings 2^56 of the missing
 * factor and the result the rest, so that no product that matters underflows.
 */
final class HalfGroups extends RowGroups {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final float HALF_WAY = 0x1p56f;

  private final boolean brain;

  HalfGroups(DType dtype) {
    brain = dtype == DType.BF16;
  }

  @Override
  boolean quantizes() {
    return false;
  }

  @Override
  long groupBytes(int in) {
    return (long) in * VECTOR_BYTES;
  }

  @Override
  boolean pack(
      MemorySegment source,
      long rowAt,
      long rowBytes,
      int rows,
      int in,
      MemorySegment target,
      long at) {
    for (int strip = 0; strip < in; strip += 32) {
      int end = Math.min(in, strip + 32);
      for (int r = 0; r < rows; r++) {
        long from = rowAt + r * rowBytes;
        long to = at + 2L * lane(r);
        for (int k = strip; k < end; k++) {
          short bits = source.get(Tensor.SHORT, from + 2L * k);
          if (!brain && isSpecial(bits)) {
            return false;
          }
          target.set(Tensor.SHORT, to + (long) k * VECTOR_BYTES, bits);
        }
      }
    }
    return true;
  }

  @Override
  void dots(MemorySegment packed, long at, Activations x, int xRow, float[] out, int outAt) {
    int in = x.inFeatures();
    if (brain) {
      brain(packed, at, x.values(), xRow * in, in, out, outAt);
    } else {
      half(packed, at, x.values(), xRow * in, in, out, outAt);
    }
  }

  private static void half(
      MemorySegment packed, long at, float[] x, int xAt, int in, float[] out, int outAt) {
    FloatVector a0 = FloatVector.zero(FLOAT);
    FloatVector a1 = a0;
    FloatVector b0 = a0;
    FloatVector b1 = a0;
    int k = 0;
    long q = at;
    for (; k + 2 <= in; k += 2) {
      IntVector v = IntVector.fromMemorySegment(INT, packed, q, LE);
      IntVector u = IntVector.fromMemorySegment(INT, packed, q + VECTOR_BYTES, LE);
      FloatVector xv = FloatVector.broadcast(FLOAT, x[xAt + k] * HALF_WAY);
      FloatVector xu = FloatVector.broadcast(FLOAT, x[xAt + k + 1] * HALF_WAY);
      a0 = v.lanewise(LSHL, 16).lanewise(ASHR, 3).and(HALF_MASK).reinterpretAsFloats().fma(xv, a0);
      a1 = v.lanewise(ASHR, 3).and(HALF_MASK).reinterpretAsFloats().fma(xv, a1);
      b0 = u.lanewise(LSHL, 16).lanewise(ASHR, 3).and(HALF_MASK).reinterpretAsFloats().fma(xu, b0);
      b1 = u.lanewise(ASHR, 3).and(HALF_MASK).reinterpretAsFloats().fma(xu, b1);
      q += 2 * VECTOR_BYTES;
    }
    if (k < in) {
      IntVector v = IntVector.fromMemorySegment(INT, packed, q, LE);
      FloatVector xv = FloatVector.broadcast(FLOAT, x[xAt + k] * HALF_WAY);
      a0 = v.lanewise(LSHL, 16).lanewise(ASHR, 3).and(HALF_MASK).reinterpretAsFloats().fma(xv, a0);
      a1 = v.lanewise(ASHR, 3).and(HALF_MASK).reinterpretAsFloats().fma(xv, a1);
    }
    a0.add(b0).mul(HALF_WAY).intoArray(out, outAt);
    a1.add(b1).mul(HALF_WAY).intoArray(out, outAt + LANES);
  }

  private static void brain(
      MemorySegment packed, long at, float[] x, int xAt, int in, float[] out, int outAt) {
    FloatVector a0 = FloatVector.zero(FLOAT);
    FloatVector a1 = a0;
    FloatVector b0 = a0;
    FloatVector b1 = a0;
    int k = 0;
    long q = at;
    for (; k + 2 <= in; k += 2) {
      IntVector v = IntVector.fromMemorySegment(INT, packed, q, LE);
      IntVector u = IntVector.fromMemorySegment(INT, packed, q + VECTOR_BYTES, LE);
      FloatVector xv = FloatVector.broadcast(FLOAT, x[xAt + k]);
      FloatVector xu = FloatVector.broadcast(FLOAT, x[xAt + k + 1]);
      a0 = v.lanewise(LSHL, 16).reinterpretAsFloats().fma(xv, a0);
      a1 = v.and(0xffff0000).reinterpretAsFloats().fma(xv, a1);
      b0 = u.lanewise(LSHL, 16).reinterpretAsFloats().fma(xu, b0);
      b1 = u.and(0xffff0000).reinterpretAsFloats().fma(xu, b1);
      q += 2 * VECTOR_BYTES;
    }
    if (k < in) {
      IntVector v = IntVector.fromMemorySegment(INT, packed, q, LE);
      FloatVector xv = FloatVector.broadcast(FLOAT, x[xAt + k]);
      a0 = v.lanewise(LSHL, 16).reinterpretAsFloats().fma(xv, a0);
      a1 = v.and(0xffff0000).reinterpretAsFloats().fma(xv, a1);
    }
    a0.add(b0).intoArray(out, outAt);
    a1.add(b1).intoArray(out, outAt + LANES);
  }
}
