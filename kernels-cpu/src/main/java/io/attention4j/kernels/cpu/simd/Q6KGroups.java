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
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * Q6_K: per super-block of 256 columns the factor d of all rows as f32 (two vectors), then for each
 * 32 columns 13 vectors of 16-bit lanes: the two scales of the row, then four times one vector with
 * the upper two bits of eight codes and two with the lower four bits of four each. Eight products
 * add up in 16 bits: |sum (q - 32) x| is at most 32 * 127 * 8 = 32512; see {@link Q4Groups}.
 */
final class Q6KGroups extends RowGroups {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final int SOURCE_BYTES = 210;
  private static final int STEP_BYTES = 13 * VECTOR_BYTES;
  private static final int BLOCK_BYTES = 2 * VECTOR_BYTES + 8 * STEP_BYTES;
  private static final short LOW = 15;
  private static final short HIGH = 0x30;

  @Override
  boolean quantizes() {
    return true;
  }

  @Override
  boolean usesEighths() {
    return true;
  }

  @Override
  long groupBytes(int in) {
    return in / 256L * BLOCK_BYTES;
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
    for (int b = 0; b < in / 256; b++) {
      long block = at + (long) b * BLOCK_BYTES;
      for (int r = 0; r < rows; r++) {
        long from = rowAt + r * rowBytes + (long) b * SOURCE_BYTES;
        short d = source.get(Tensor.SHORT, from + 208);
        if (isSpecial(d)) {
          return false;
        }
        target.set(Tensor.FLOAT, block + 4L * r, Float.float16ToFloat(d));
        for (int step = 0; step < 8; step++) {
          long to = block + 2L * VECTOR_BYTES + (long) step * STEP_BYTES + 2L * lane(r);
          target.set(Tensor.SHORT, to, source.get(Tensor.SHORT, from + 192 + 2 * step));
          // 32 columns are a quarter of a half: see RowCodec for the places of their bits.
          int quarter = step & 3;
          long low = from + 64 * (step >> 2) + 32 * (quarter & 1);
          long high = from + 128 + 32 * (step >> 2);
          for (int eighth = 0; eighth < 4; eighth++) {
            long place = to + (long) (1 + 3 * eighth) * VECTOR_BYTES;
            packEight(
                source,
                low + 8 * eighth,
                4 * (quarter >> 1),
                high + 8 * eighth,
                2 * quarter,
                target,
                place);
          }
        }
      }
    }
    return true;
  }

  private static void packEight(
      MemorySegment source,
      long low,
      int lowShift,
      long high,
      int highShift,
      MemorySegment target,
      long to) {
    int highBits = 0;
    int first = 0;
    int second = 0;
    for (int i = 0; i < 8; i++) {
      int bits = source.get(ValueLayout.JAVA_BYTE, high + i) >>> highShift & 3;
      int nibble = source.get(ValueLayout.JAVA_BYTE, low + i) >>> lowShift & 15;
      highBits |= bits << 2 * i;
      if (i < 4) {
        first |= nibble << 4 * i;
      } else {
        second |= nibble << 4 * (i - 4);
      }
    }
    target.set(Tensor.SHORT, to, (short) highBits);
    target.set(Tensor.SHORT, to + VECTOR_BYTES, (short) first);
    target.set(Tensor.SHORT, to + 2L * VECTOR_BYTES, (short) second);
  }

  @Override
  void dots(MemorySegment packed, long at, Activations x, int xRow, float[] out, int outAt) {
    if (!packed.isNative()) {
      throw NativeMemory.required();
    }
    int steps = x.inFeatures() / 32;
    QuantizedRows quantized = x.quantized();
    int[] codes = quantized.codes();
    float[] scales = quantized.scales();
    int[] eighths = quantized.eighthSums();
    int k = xRow * x.inFeatures();
    int eighth = k / 8;
    int xBlock = xRow * steps;
    FloatVector a0 = FloatVector.zero(FLOAT);
    FloatVector a1 = a0;
    long q = at;
    for (int b = 0; b < steps; b += 8) {
      FloatVector p0 = FloatVector.zero(FLOAT);
      FloatVector p1 = p0;
      long block = q;
      q += 2 * VECTOR_BYTES;
      for (int step = xBlock + b; step < xBlock + b + 8; step++) {
        IntVector both = IntVector.fromMemorySegment(INT, packed, q, LE);
        q += VECTOR_BYTES;
        for (int half = 0; half < 2; half++) {
          IntVector s0 = IntVector.zero(INT);
          IntVector s1 = s0;
          for (int e = 0; e < 2; e++) {
            ShortVector h = IntVector.fromMemorySegment(INT, packed, q, LE).reinterpretAsShorts();
            ShortVector v =
                IntVector.fromMemorySegment(INT, packed, q + VECTOR_BYTES, LE)
                    .reinterpretAsShorts();
            ShortVector u =
                IntVector.fromMemorySegment(INT, packed, q + 2 * VECTOR_BYTES, LE)
                    .reinterpretAsShorts();
            ShortVector s =
                IntVector.broadcast(INT, QuantizedRows.twice(-32 * eighths[eighth]))
                    .reinterpretAsShorts();
            ShortVector t =
                v.and(LOW)
                    .or(h.lanewise(LSHL, 4).and(HIGH))
                    .mul(IntVector.broadcast(INT, codes[k]).reinterpretAsShorts());
            s =
                s.add(
                    v.lanewise(LSHR, 4)
                        .and(LOW)
                        .or(h.lanewise(LSHL, 2).and(HIGH))
                        .mul(IntVector.broadcast(INT, codes[k + 1]).reinterpretAsShorts()));
            t =
                t.add(
                    v.lanewise(LSHR, 8)
                        .and(LOW)
                        .or(h.and(HIGH))
                        .mul(IntVector.broadcast(INT, codes[k + 2]).reinterpretAsShorts()));
            s =
                s.add(
                    v.lanewise(LSHR, 12)
                        .or(h.lanewise(LSHR, 2).and(HIGH))
                        .mul(IntVector.broadcast(INT, codes[k + 3]).reinterpretAsShorts()));
            t =
                t.add(
                    u.and(LOW)
                        .or(h.lanewise(LSHR, 4).and(HIGH))
                        .mul(IntVector.broadcast(INT, codes[k + 4]).reinterpretAsShorts()));
            s =
                s.add(
                    u.lanewise(LSHR, 4)
                        .and(LOW)
                        .or(h.lanewise(LSHR, 6).and(HIGH))
                        .mul(IntVector.broadcast(INT, codes[k + 5]).reinterpretAsShorts()));
            t =
                t.add(
                    u.lanewise(LSHR, 8)
                        .and(LOW)
                        .or(h.lanewise(LSHR, 8).and(HIGH))
                        .mul(IntVector.broadcast(INT, codes[k + 6]).reinterpretAsShorts()));
            s =
                s.add(
                    u.lanewise(LSHR, 12)
                        .or(h.lanewise(LSHR, 10).and(HIGH))
                        .mul(IntVector.broadcast(INT, codes[k + 7]).reinterpretAsShorts()));
            IntVector sum = s.add(t).reinterpretAsInts();
            s0 = s0.add(sum.lanewise(LSHL, 16).lanewise(ASHR, 16));
            s1 = s1.add(sum.lanewise(ASHR, 16));
            q += 3 * VECTOR_BYTES;
            k += 8;
            eighth++;
          }
          FloatVector xScale = FloatVector.broadcast(FLOAT, scales[step]);
          FloatVector w0 = (FloatVector) both.lanewise(LSHL, 24).lanewise(ASHR, 24).convert(I2F, 0);
          FloatVector w1 = (FloatVector) both.lanewise(LSHL, 8).lanewise(ASHR, 24).convert(I2F, 0);
          p0 = ((FloatVector) s0.convert(I2F, 0)).mul(xScale).fma(w0, p0);
          p1 = ((FloatVector) s1.convert(I2F, 0)).mul(xScale).fma(w1, p1);
          // The second half's scales are the upper bytes.
          both = both.lanewise(LSHR, 8);
        }
      }
      a0 = p0.fma(FloatVector.fromMemorySegment(FLOAT, packed, block, LE), a0);
      a1 = p1.fma(FloatVector.fromMemorySegment(FLOAT, packed, block + VECTOR_BYTES, LE), a1);
    }
    a0.intoArray(out, outAt);
    a1.intoArray(out, outAt + LANES);
  }
}
