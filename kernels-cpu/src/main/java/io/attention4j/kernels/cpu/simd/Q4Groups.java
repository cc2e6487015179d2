package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.INT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * Q4_0: per block of 32 columns the F16 scales of all rows, then 8 vectors whose 16-bit lanes hold
 * four codes of a row. The 32 products of a 4-bit and an 8-bit code add up in 16 bits: |sum (q - 8)
 * x| is at most 8 * 127 * 32 = 32512. Codes are stored from 0 on and the sum starts at -8 sum x;
 * what overflows on the way wraps back.
 */
final class Q4Groups extends RowGroups {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final int SOURCE_BYTES = 18;
  private static final int BLOCK_BYTES = 9 * VECTOR_BYTES;
  private static final short NIBBLE = 15;

  @Override
  boolean quantizes() {
    return true;
  }

  @Override
  long groupBytes(int in) {
    return in / 32L * BLOCK_BYTES;
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
    for (int b = 0; b < in / 32; b++) {
      long block = at + (long) b * BLOCK_BYTES;
      for (int r = 0; r < rows; r++) {
        long from = rowAt + r * rowBytes + (long) b * SOURCE_BYTES;
        long to = block + 2L * lane(r);
        short scale = source.get(Tensor.SHORT, from);
        if (isSpecial(scale)) {
          return false;
        }
        target.set(Tensor.SHORT, to, scale);
        packNibbles(source, from + 2, 0, target, to + VECTOR_BYTES);
        packNibbles(source, from + 2, 4, target, to + 5 * VECTOR_BYTES);
      }
    }
    return true;
  }

  /** 16 codes from one half of 16 bytes, four to a 16-bit lane. */
  static void packNibbles(
      MemorySegment source, long from, int shift, MemorySegment target, long to) {
    for (int quad = 0; quad < 4; quad++) {
      int four = source.get(Tensor.INT, from + 4 * quad) >>> shift & 0x0f0f0f0f;
      int codes = four | four >>> 4;
      target.set(
          Tensor.SHORT,
          to + (long) quad * VECTOR_BYTES,
          (short) (codes & 0xff | codes >>> 8 & 0xff00));
    }
  }

  @Override
  void dots(MemorySegment packed, long at, Activations x, int xRow, float[] out, int outAt) {
    int blocks = x.inFeatures() / 32;
    QuantizedRows quantized = x.quantized();
    int[] codes = quantized.codes();
    float[] scales = quantized.scales();
    int[] codeSums = quantized.codeSums();
    int k = xRow * x.inFeatures();
    int xBlock = xRow * blocks;
    FloatVector a0 = FloatVector.zero(FLOAT);
    FloatVector a1 = a0;
    long block = at;
    for (int b = 0; b < blocks; b++) {
      int start = QuantizedRows.twice(-8 * codeSums[xBlock + b]);
      ShortVector s0 = IntVector.broadcast(INT, start).reinterpretAsShorts();
      ShortVector s1 = IntVector.zero(INT).reinterpretAsShorts();
      ShortVector s2 = s1;
      ShortVector s3 = s1;
      long q = block + VECTOR_BYTES;
      for (int g = 0; g < 4; g++) {
        ShortVector v = IntVector.fromMemorySegment(INT, packed, q, LE).reinterpretAsShorts();
        ShortVector u =
            IntVector.fromMemorySegment(INT, packed, q + VECTOR_BYTES, LE).reinterpretAsShorts();
        s0 = s0.add(v.and(NIBBLE).mul(IntVector.broadcast(INT, codes[k]).reinterpretAsShorts()));
        s1 =
            s1.add(
                v.lanewise(LSHR, 4)
                    .and(NIBBLE)
                    .mul(IntVector.broadcast(INT, codes[k + 1]).reinterpretAsShorts()));
        s2 =
            s2.add(
                v.lanewise(LSHR, 8)
                    .and(NIBBLE)
                    .mul(IntVector.broadcast(INT, codes[k + 2]).reinterpretAsShorts()));
        s3 =
            s3.add(
                v.lanewise(LSHR, 12)
                    .mul(IntVector.broadcast(INT, codes[k + 3]).reinterpretAsShorts()));
        s0 =
            s0.add(u.and(NIBBLE).mul(IntVector.broadcast(INT, codes[k + 4]).reinterpretAsShorts()));
        s1 =
            s1.add(
                u.lanewise(LSHR, 4)
                    .and(NIBBLE)
                    .mul(IntVector.broadcast(INT, codes[k + 5]).reinterpretAsShorts()));
        s2 =
            s2.add(
                u.lanewise(LSHR, 8)
                    .and(NIBBLE)
                    .mul(IntVector.broadcast(INT, codes[k + 6]).reinterpretAsShorts()));
        s3 =
            s3.add(
                u.lanewise(LSHR, 12)
                    .mul(IntVector.broadcast(INT, codes[k + 7]).reinterpretAsShorts()));
        q += 2 * VECTOR_BYTES;
        k += 8;
      }
      IntVector s = s0.add(s1).add(s2.add(s3)).reinterpretAsInts();
      IntVector h = IntVector.fromMemorySegment(INT, packed, block, LE);
      float scale = scales[xBlock + b] * HALF_SCALE;
      FloatVector d0 =
          h.lanewise(LSHL, 16).lanewise(ASHR, 3).and(HALF_MASK).reinterpretAsFloats().mul(scale);
      FloatVector d1 = h.lanewise(ASHR, 3).and(HALF_MASK).reinterpretAsFloats().mul(scale);
      a0 = ((FloatVector) s.lanewise(LSHL, 16).lanewise(ASHR, 16).convert(I2F, 0)).fma(d0, a0);
      a1 = ((FloatVector) s.lanewise(ASHR, 16).convert(I2F, 0)).fma(d1, a1);
      block += BLOCK_BYTES;
    }
    a0.mul(HALF_REST).intoArray(out, outAt);
    a1.mul(HALF_REST).intoArray(out, outAt + LANES);
  }
}
