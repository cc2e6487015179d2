package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.INT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static io.attention4j.kernels.cpu.simd.Species.SHORT;
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
 * Q4_0: per block of 32 columns 8 vectors whose 16-bit lanes hold four codes of a row; behind them,
 * for all blocks, the F16 scales of the rows. The 32 products of a 4-bit and an 8-bit code add up
 * in 16 bits: |sum (q - 8) x| is at most 8 * 127 * 32 = 32512. Codes are stored from 0 on and the
 * sum starts at -8 sum x; what overflows on the way wraps back.
 *
 * <p>The loops run over vectors, not over blocks, and call the Vector API alone. An inner loop over
 * the vectors of a block would be split again and again for its checks; all 8 vectors written out
 * spill; and past some 18000 nodes C2 inlines nothing but the API, so a helper would box.
 */
final class Q4Groups extends RowGroups {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final int SOURCE_BYTES = 18;
  private static final int CODE_BYTES = 8 * VECTOR_BYTES;
  private static final short NIBBLE = 15;

  @Override
  boolean quantizes() {
    return true;
  }

  @Override
  boolean usesNibbles() {
    return true;
  }

  @Override
  long groupBytes(int in) {
    return in / 32L * (CODE_BYTES + VECTOR_BYTES);
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
      long block = at + (long) b * CODE_BYTES;
      long scales = at + in / 32L * CODE_BYTES + (long) b * VECTOR_BYTES;
      for (int r = 0; r < rows; r++) {
        long from = rowAt + r * rowBytes + (long) b * SOURCE_BYTES;
        long to = block + 2L * lane(r);
        short scale = source.get(Tensor.SHORT, from);
        if (isSpecial(scale)) {
          return false;
        }
        target.set(Tensor.SHORT, scales + 2L * lane(r), scale);
        packNibbles(source, from + 2, 0, target, to);
        packNibbles(source, from + 2, 4, target, to + 4 * VECTOR_BYTES);
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
    if (!packed.isNative()) {
      throw NativeMemory.required();
    }
    int blocks = x.inFeatures() / 32;
    QuantizedRows quantized = x.quantized();
    float[] scales = quantized.scales();
    int[] codes = quantized.nibbleCodes();
    int[] starts = quantized.nibbleStarts();
    int xBlock = xRow * blocks;
    int xAt = xRow * x.inFeatures();
    long scalesAt = blocks * (long) CODE_BYTES;
    FloatVector a0 = FloatVector.zero(FLOAT);
    FloatVector a1 = a0;
    ShortVector s0 = IntVector.broadcast(INT, starts[xBlock]).reinterpretAsShorts();
    ShortVector s1 = ShortVector.zero(SHORT);
    for (int i = 0; i < 8 * blocks; i++) {
      int k = xAt + 4 * i;
      ShortVector v =
          IntVector.fromMemorySegment(INT, packed, at + i * (long) VECTOR_BYTES, LE)
              .reinterpretAsShorts();
      ShortVector c = IntVector.broadcast(INT, codes[k]).reinterpretAsShorts();
      s0 = s0.add(v.mul(c));
      c = IntVector.broadcast(INT, codes[k + 1]).reinterpretAsShorts();
      s1 = s1.add(v.lanewise(LSHR, 4).mul(c));
      c = IntVector.broadcast(INT, codes[k + 2]).reinterpretAsShorts();
      s0 = s0.add(v.lanewise(LSHR, 8).mul(c));
      c = IntVector.broadcast(INT, codes[k + 3]).reinterpretAsShorts();
      s1 = s1.add(v.lanewise(LSHR, 12).mul(c));
      if ((i & 7) == 7) {
        int b = i >> 3;
        float scale = scales[xBlock + b] * HALF_SCALE;
        IntVector s = s0.add(s1).reinterpretAsInts();
        IntVector h =
            IntVector.fromMemorySegment(INT, packed, at + scalesAt + b * (long) VECTOR_BYTES, LE);
        FloatVector d0 =
            h.lanewise(LSHL, 16).lanewise(ASHR, 3).and(HALF_MASK).reinterpretAsFloats().mul(scale);
        FloatVector d1 = h.lanewise(ASHR, 3).and(HALF_MASK).reinterpretAsFloats().mul(scale);
        a0 = ((FloatVector) s.lanewise(LSHL, 16).lanewise(ASHR, 16).convert(I2F, 0)).fma(d0, a0);
        a1 = ((FloatVector) s.lanewise(ASHR, 16).convert(I2F, 0)).fma(d1, a1);
        s0 = IntVector.broadcast(INT, starts[xBlock + b + 1]).reinterpretAsShorts();
        s1 = ShortVector.zero(SHORT);
      }
    }
    a0.mul(HALF_REST).intoArray(out, outAt);
    a1.mul(HALF_REST).intoArray(out, outAt + LANES);
  }

  @Override
  void pairDots(
      MemorySegment packed,
      long at,
      long at2,
      Activations x,
      int xRow,
      float[] out,
      int outAt,
      int outAt2) {
    if (!packed.isNative()) {
      throw NativeMemory.required();
    }
    int blocks = x.inFeatures() / 32;
    QuantizedRows quantized = x.quantized();
    float[] scales = quantized.scales();
    int[] codes = quantized.nibbleCodes();
    int[] starts = quantized.nibbleStarts();
    int xBlock = xRow * blocks;
    int xAt = xRow * x.inFeatures();
    long scalesAt = blocks * (long) CODE_BYTES;
    FloatVector a0 = FloatVector.zero(FLOAT);
    FloatVector a1 = a0;
    FloatVector b0 = a0;
    FloatVector b1 = a0;
    ShortVector s0 = IntVector.broadcast(INT, starts[xBlock]).reinterpretAsShorts();
    ShortVector s1 = ShortVector.zero(SHORT);
    ShortVector t0 = s0;
    ShortVector t1 = s1;
    for (int i = 0; i < 8 * blocks; i++) {
      int k = xAt + 4 * i;
      ShortVector v =
          IntVector.fromMemorySegment(INT, packed, at + i * (long) VECTOR_BYTES, LE)
              .reinterpretAsShorts();
      ShortVector u =
          IntVector.fromMemorySegment(INT, packed, at2 + i * (long) VECTOR_BYTES, LE)
              .reinterpretAsShorts();
      ShortVector c = IntVector.broadcast(INT, codes[k]).reinterpretAsShorts();
      s0 = s0.add(v.mul(c));
      t0 = t0.add(u.mul(c));
      c = IntVector.broadcast(INT, codes[k + 1]).reinterpretAsShorts();
      s1 = s1.add(v.lanewise(LSHR, 4).mul(c));
      t1 = t1.add(u.lanewise(LSHR, 4).mul(c));
      c = IntVector.broadcast(INT, codes[k + 2]).reinterpretAsShorts();
      s0 = s0.add(v.lanewise(LSHR, 8).mul(c));
      t0 = t0.add(u.lanewise(LSHR, 8).mul(c));
      c = IntVector.broadcast(INT, codes[k + 3]).reinterpretAsShorts();
      s1 = s1.add(v.lanewise(LSHR, 12).mul(c));
      t1 = t1.add(u.lanewise(LSHR, 12).mul(c));
      if ((i & 7) == 7) {
        int b = i >> 3;
        float scale = scales[xBlock + b] * HALF_SCALE;
        IntVector s = s0.add(s1).reinterpretAsInts();
        IntVector h =
            IntVector.fromMemorySegment(INT, packed, at + scalesAt + b * (long) VECTOR_BYTES, LE);
        FloatVector d0 =
            h.lanewise(LSHL, 16).lanewise(ASHR, 3).and(HALF_MASK).reinterpretAsFloats().mul(scale);
        FloatVector d1 = h.lanewise(ASHR, 3).and(HALF_MASK).reinterpretAsFloats().mul(scale);
        a0 = ((FloatVector) s.lanewise(LSHL, 16).lanewise(ASHR, 16).convert(I2F, 0)).fma(d0, a0);
        a1 = ((FloatVector) s.lanewise(ASHR, 16).convert(I2F, 0)).fma(d1, a1);
        s = t0.add(t1).reinterpretAsInts();
        h = IntVector.fromMemorySegment(INT, packed, at2 + scalesAt + b * (long) VECTOR_BYTES, LE);
        d0 = h.lanewise(LSHL, 16).lanewise(ASHR, 3).and(HALF_MASK).reinterpretAsFloats().mul(scale);
        d1 = h.lanewise(ASHR, 3).and(HALF_MASK).reinterpretAsFloats().mul(scale);
        b0 = ((FloatVector) s.lanewise(LSHL, 16).lanewise(ASHR, 16).convert(I2F, 0)).fma(d0, b0);
        b1 = ((FloatVector) s.lanewise(ASHR, 16).convert(I2F, 0)).fma(d1, b1);
        s0 = IntVector.broadcast(INT, starts[xBlock + b + 1]).reinterpretAsShorts();
        s1 = ShortVector.zero(SHORT);
        t0 = s0;
        t1 = s1;
      }
    }
    a0.mul(HALF_REST).intoArray(out, outAt);
    a1.mul(HALF_REST).intoArray(out, outAt + LANES);
    b0.mul(HALF_REST).intoArray(out, outAt2);
    b1.mul(HALF_REST).intoArray(out, outAt2 + LANES);
  }

  @Override
  boolean unpacks() {
    return true;
  }

  @Override
  void unpack(
      MemorySegment packed,
      long at,
      int columns,
      int k,
      int depth,
      short[] codes,
      int column,
      float[] scales,
      float[] offsets,
      int offsetsAt) {
    for (int b = 0; b < depth / 32; b++) {
      long block = k / 32 + b;
      long scalesAt = at + columns / 32L * CODE_BYTES + block * VECTOR_BYTES;
      int to = b * ShortTiles.ROWS + column;
      evenScales(packed, scalesAt, HALF_SCALE * HALF_REST).intoArray(scales, to);
      oddScales(packed, scalesAt, HALF_SCALE * HALF_REST).intoArray(scales, to + LANES);
      unpackNibbles(packed, at + block * CODE_BYTES, codes, b * 32 * ShortTiles.ROWS + column);
    }
  }

  /** 8 vectors to 32 rows of codes in -8..7. */
  static void unpackNibbles(MemorySegment packed, long from, short[] codes, int at) {
    for (int g = 0; g < 8; g++) {
      ShortVector v =
          IntVector.fromMemorySegment(INT, packed, from + (long) g * VECTOR_BYTES, LE)
              .reinterpretAsShorts();
      int to = at + 4 * g * ShortTiles.ROWS;
      v.and(NIBBLE).sub((short) 8).intoArray(codes, to);
      v.lanewise(LSHR, 4).and(NIBBLE).sub((short) 8).intoArray(codes, to + ShortTiles.ROWS);
      v.lanewise(LSHR, 8).and(NIBBLE).sub((short) 8).intoArray(codes, to + 2 * ShortTiles.ROWS);
      v.lanewise(LSHR, 12).sub((short) 8).intoArray(codes, to + 3 * ShortTiles.ROWS);
    }
  }
}
