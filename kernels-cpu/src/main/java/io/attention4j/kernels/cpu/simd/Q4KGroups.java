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
 * Q4_K: per super-block of 256 columns the factors d and dmin of all rows as f32 (two vectors
 * each), then 8 sub-blocks of 9 vectors: 16-bit lanes with the scale and, in the upper byte, the
 * minimum of each row, then codes as {@link Q4Groups} has them. Minima multiply the sums of the
 * same rounded x as the codes: q s - m is smaller than its parts, and so is its error.
 */
final class Q4KGroups extends RowGroups {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final int SOURCE_BYTES = 144;
  private static final int SUB_BYTES = 9 * VECTOR_BYTES;
  private static final int BLOCK_BYTES = 4 * VECTOR_BYTES + 8 * SUB_BYTES;
  private static final short NIBBLE = 15;

  @Override
  boolean quantizes() {
    return true;
  }

  @Override
  boolean hasOffsets() {
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
        short d = source.get(Tensor.SHORT, from);
        short dmin = source.get(Tensor.SHORT, from + 2);
        if (isSpecial(d) || isSpecial(dmin)) {
          return false;
        }
        target.set(Tensor.FLOAT, block + 4L * r, Float.float16ToFloat(d));
        target.set(Tensor.FLOAT, block + 2L * VECTOR_BYTES + 4L * r, Float.float16ToFloat(dmin));
        for (int sub = 0; sub < 8; sub++) {
          long to = block + 4L * VECTOR_BYTES + (long) sub * SUB_BYTES + 2L * lane(r);
          int scale = scale(source, from + 4, sub);
          int minimum = minimum(source, from + 4, sub);
          target.set(Tensor.SHORT, to, (short) (scale | minimum << 8));
          long nibbles = from + 16 + 32 * (sub / 2);
          int shift = 4 * (sub & 1);
          Q4Groups.packNibbles(source, nibbles, shift, target, to + VECTOR_BYTES);
          Q4Groups.packNibbles(source, nibbles + 16, shift, target, to + 5 * VECTOR_BYTES);
        }
      }
    }
    return true;
  }

  private static int u8(MemorySegment source, long at) {
    return source.get(ValueLayout.JAVA_BYTE, at) & 0xff;
  }

  /** Of the 12 bytes that GGML packs 8 scales and 8 minima of 6 bits into. */
  private static int scale(MemorySegment source, long scales, int sub) {
    return sub < 4
        ? u8(source, scales + sub) & 63
        : u8(source, scales + 4 + sub) & 15 | u8(source, scales + sub - 4) >>> 6 << 4;
  }

  private static int minimum(MemorySegment source, long scales, int sub) {
    return sub < 4
        ? u8(source, scales + 4 + sub) & 63
        : u8(source, scales + 4 + sub) >>> 4 | u8(source, scales + sub) >>> 6 << 4;
  }

  @Override
  void dots(MemorySegment packed, long at, Activations x, int xRow, float[] out, int outAt) {
    if (!packed.isNative()) {
      throw NativeMemory.required();
    }
    int subBlocks = x.inFeatures() / 32;
    QuantizedRows quantized = x.quantized();
    int[] codes = quantized.codes();
    float[] scales = quantized.scales();
    int[] codeSums = quantized.codeSums();
    int k = xRow * x.inFeatures();
    int xBlock = xRow * subBlocks;
    FloatVector a0 = FloatVector.zero(FLOAT);
    FloatVector a1 = a0;
    long q = at;
    for (int b = 0; b < subBlocks; b += 8) {
      FloatVector p0 = FloatVector.zero(FLOAT);
      FloatVector p1 = p0;
      FloatVector m0 = p0;
      FloatVector m1 = p0;
      long block = q;
      q += 4 * VECTOR_BYTES;
      for (int sub = xBlock + b; sub < xBlock + b + 8; sub++) {
        int codeSum = codeSums[sub];
        IntVector both = IntVector.fromMemorySegment(INT, packed, q, LE);
        ShortVector s0 =
            IntVector.broadcast(INT, QuantizedRows.twice(-8 * codeSum)).reinterpretAsShorts();
        ShortVector s1 = IntVector.zero(INT).reinterpretAsShorts();
        q += VECTOR_BYTES;
        for (int g = 0; g < 8; g++) {
          ShortVector v = IntVector.fromMemorySegment(INT, packed, q, LE).reinterpretAsShorts();
          s0 = s0.add(v.and(NIBBLE).mul(IntVector.broadcast(INT, codes[k]).reinterpretAsShorts()));
          s1 =
              s1.add(
                  v.lanewise(LSHR, 4)
                      .and(NIBBLE)
                      .mul(IntVector.broadcast(INT, codes[k + 1]).reinterpretAsShorts()));
          s0 =
              s0.add(
                  v.lanewise(LSHR, 8)
                      .and(NIBBLE)
                      .mul(IntVector.broadcast(INT, codes[k + 2]).reinterpretAsShorts()));
          s1 =
              s1.add(
                  v.lanewise(LSHR, 12)
                      .mul(IntVector.broadcast(INT, codes[k + 3]).reinterpretAsShorts()));
          q += VECTOR_BYTES;
          k += 4;
        }
        IntVector s = s0.add(s1).reinterpretAsInts();
        float scale = scales[sub];
        // The codes count from 0, so the 8 that the 16-bit sum left out comes back.
        FloatVector eight = FloatVector.broadcast(FLOAT, 8f * codeSum * scale);
        FloatVector f0 = (FloatVector) s.lanewise(LSHL, 16).lanewise(ASHR, 16).convert(I2F, 0);
        FloatVector f1 = (FloatVector) s.lanewise(ASHR, 16).convert(I2F, 0);
        FloatVector sum = FloatVector.broadcast(FLOAT, codeSum * scale);
        FloatVector xScale = FloatVector.broadcast(FLOAT, scale);
        p0 = ((FloatVector) both.and(63).convert(I2F, 0)).fma(f0.fma(xScale, eight), p0);
        p1 =
            ((FloatVector) both.lanewise(LSHR, 16).and(63).convert(I2F, 0))
                .fma(f1.fma(xScale, eight), p1);
        m0 = ((FloatVector) both.lanewise(LSHR, 8).and(63).convert(I2F, 0)).fma(sum, m0);
        m1 = ((FloatVector) both.lanewise(LSHR, 24).convert(I2F, 0)).fma(sum, m1);
      }
      a0 = p0.fma(FloatVector.fromMemorySegment(FLOAT, packed, block, LE), a0);
      a1 = p1.fma(FloatVector.fromMemorySegment(FLOAT, packed, block + VECTOR_BYTES, LE), a1);
      a0 =
          a0.sub(
              m0.mul(FloatVector.fromMemorySegment(FLOAT, packed, block + 2 * VECTOR_BYTES, LE)));
      a1 =
          a1.sub(
              m1.mul(FloatVector.fromMemorySegment(FLOAT, packed, block + 3 * VECTOR_BYTES, LE)));
    }
    a0.intoArray(out, outAt);
    a1.intoArray(out, outAt + LANES);
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
      int sub = k / 32 + b;
      long block = at + (long) (sub / 8) * BLOCK_BYTES;
      long from = block + 4L * VECTOR_BYTES + (long) (sub % 8) * SUB_BYTES;
      int to = b * ShortTiles.ROWS + column;
      int offset = offsetsAt + b * ShortTiles.ROWS;
      IntVector both = IntVector.fromMemorySegment(INT, packed, from, LE);
      FloatVector d = FloatVector.fromMemorySegment(FLOAT, packed, block, LE);
      FloatVector dmin =
          FloatVector.fromMemorySegment(FLOAT, packed, block + 2L * VECTOR_BYTES, LE);
      FloatVector scale = ((FloatVector) both.and(63).convert(I2F, 0)).mul(d);
      FloatVector minimum =
          ((FloatVector) both.lanewise(LSHR, 8).and(63).convert(I2F, 0)).mul(dmin);
      scale.intoArray(scales, to);
      scale.mul(8f).sub(minimum).intoArray(offsets, offset);
      d = FloatVector.fromMemorySegment(FLOAT, packed, block + VECTOR_BYTES, LE);
      dmin = FloatVector.fromMemorySegment(FLOAT, packed, block + 3L * VECTOR_BYTES, LE);
      scale = ((FloatVector) both.lanewise(LSHR, 16).and(63).convert(I2F, 0)).mul(d);
      minimum = ((FloatVector) both.lanewise(LSHR, 24).convert(I2F, 0)).mul(dmin);
      scale.intoArray(scales, to + LANES);
      scale.mul(8f).sub(minimum).intoArray(offsets, offset + LANES);
      Q4Groups.unpackNibbles(packed, from + VECTOR_BYTES, codes, b * 32 * ShortTiles.ROWS + column);
    }
  }
}
