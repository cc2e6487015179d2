package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.INT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * The formats of {@link BlockCodes}, whose codes fit five bits, expanded to a byte a code: per 16
 * or 32 columns the F32 scales of the rows in lanes 0, 2, ... and of those in lanes 1, 3, ..., the
 * offsets likewise where there are some, then vectors whose 16-bit lanes hold two codes of a row. 9
 * to 12 bits a weight instead of 2.6 to 6: memory for speed.
 *
 * <p>Eight products of a code and an 8-bit code of x fit 16 bits: 8 * 31 * 127 = 31496.
 */
final class CodeGroups extends RowGroups {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;

  private final DType type;
  private final int columns;
  private final int zero;
  private final int codesAt;
  private final int blockBytes;

  CodeGroups(DType type) {
    this.type = type;
    columns = BlockCodes.columns(type);
    zero = BlockCodes.zero(type);
    codesAt = (BlockCodes.hasOffsets(type) ? 4 : 2) * VECTOR_BYTES;
    blockBytes = codesAt + columns / 2 * VECTOR_BYTES;
  }

  @Override
  boolean quantizes() {
    return true;
  }

  @Override
  boolean usesEighths() {
    return true;
  }

  @Override
  boolean usesPairs() {
    return true;
  }

  @Override
  long groupBytes(int in) {
    return (long) in / columns * blockBytes;
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
    BlockCodes block = new BlockCodes(type);
    long sourceBytes = type.bytes(block.blockColumns());
    int parts = block.blockColumns() / columns;
    for (int r = 0; r < rows; r++) {
      for (int b = 0; b < in / block.blockColumns(); b++) {
        if (!block.read(source, rowAt + r * rowBytes + b * sourceBytes)) {
          return false;
        }
        for (int part = 0; part < parts; part++) {
          write(block, part, target, at + ((long) b * parts + part) * blockBytes, r);
        }
      }
    }
    return true;
  }

  private void write(BlockCodes block, int part, MemorySegment target, long at, int row) {
    long factor = at + (row < LANES ? 4L * row : VECTOR_BYTES + 4L * (row - LANES));
    target.set(Tensor.FLOAT, factor, block.scales()[part]);
    if (codesAt > 2 * VECTOR_BYTES) {
      target.set(Tensor.FLOAT, factor + 2 * VECTOR_BYTES, block.offsets()[part]);
    }
    byte[] codes = block.codes();
    for (int pair = 0; pair < columns / 2; pair++) {
      int k = part * columns + 2 * pair;
      target.set(
          Tensor.SHORT,
          at + codesAt + (long) pair * VECTOR_BYTES + 2L * lane(row),
          (short) (codes[k] | codes[k + 1] << 8));
    }
  }

  @Override
  void dots(MemorySegment packed, long at, Activations x, int xRow, float[] out, int outAt) {
    if (!packed.isNative()) {
      throw NativeMemory.required();
    }
    int[] codes = x.quantized().pairCodes();
    int[] sums = x.quantized().eighthSums();
    float[] scales = x.quantized().scales();
    boolean hasOffsets = codesAt > 2 * VECTOR_BYTES;
    int eighths = columns / QuantizedRows.EIGHTH;
    int k = xRow * x.inFeatures();
    FloatVector a0 = FloatVector.zero(FLOAT);
    FloatVector a1 = a0;
    long block = at;
    for (int b = 0; b < x.inFeatures() / columns; b++) {
      float scale = scales[k / QuantizedRows.BLOCK];
      IntVector s0 = IntVector.zero(INT);
      IntVector s1 = s0;
      int sum = 0;
      long q = block + codesAt;
      for (int g = 0; g < eighths; g++) {
        sum += sums[k / QuantizedRows.EIGHTH];
        ShortVector v = IntVector.fromMemorySegment(INT, packed, q, LE).reinterpretAsShorts();
        ShortVector t =
            v.mul(IntVector.broadcast(INT, codes[k]).reinterpretAsShorts())
                .add(
                    v.lanewise(LSHR, 8)
                        .mul(IntVector.broadcast(INT, codes[k + 1]).reinterpretAsShorts()));
        v = IntVector.fromMemorySegment(INT, packed, q + VECTOR_BYTES, LE).reinterpretAsShorts();
        t =
            t.add(v.mul(IntVector.broadcast(INT, codes[k + 2]).reinterpretAsShorts()))
                .add(
                    v.lanewise(LSHR, 8)
                        .mul(IntVector.broadcast(INT, codes[k + 3]).reinterpretAsShorts()));
        v =
            IntVector.fromMemorySegment(INT, packed, q + 2 * VECTOR_BYTES, LE)
                .reinterpretAsShorts();
        t =
            t.add(v.mul(IntVector.broadcast(INT, codes[k + 4]).reinterpretAsShorts()))
                .add(
                    v.lanewise(LSHR, 8)
                        .mul(IntVector.broadcast(INT, codes[k + 5]).reinterpretAsShorts()));
        v =
            IntVector.fromMemorySegment(INT, packed, q + 3 * VECTOR_BYTES, LE)
                .reinterpretAsShorts();
        t =
            t.add(v.mul(IntVector.broadcast(INT, codes[k + 6]).reinterpretAsShorts()))
                .add(
                    v.lanewise(LSHR, 8)
                        .mul(IntVector.broadcast(INT, codes[k + 7]).reinterpretAsShorts()));
        IntVector wide = t.reinterpretAsInts();
        s0 = s0.add(wide.lanewise(LSHL, 16).lanewise(ASHR, 16));
        s1 = s1.add(wide.lanewise(ASHR, 16));
        q += 4 * VECTOR_BYTES;
        k += QuantizedRows.EIGHTH;
      }
      FloatVector d0 = FloatVector.fromMemorySegment(FLOAT, packed, block, LE).mul(scale);
      FloatVector d1 =
          FloatVector.fromMemorySegment(FLOAT, packed, block + VECTOR_BYTES, LE).mul(scale);
      a0 = ((FloatVector) s0.sub(zero * sum).convert(I2F, 0)).fma(d0, a0);
      a1 = ((FloatVector) s1.sub(zero * sum).convert(I2F, 0)).fma(d1, a1);
      if (hasOffsets) {
        FloatVector scaledSum = FloatVector.broadcast(FLOAT, scale * sum);
        a0 =
            FloatVector.fromMemorySegment(FLOAT, packed, block + 2 * VECTOR_BYTES, LE)
                .fma(scaledSum, a0);
        a1 =
            FloatVector.fromMemorySegment(FLOAT, packed, block + 3 * VECTOR_BYTES, LE)
                .fma(scaledSum, a1);
      }
      block += blockBytes;
    }
    a0.intoArray(out, outAt);
    a1.intoArray(out, outAt + LANES);
  }
}
