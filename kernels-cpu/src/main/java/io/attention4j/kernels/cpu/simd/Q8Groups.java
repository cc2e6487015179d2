package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.INT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;

import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * Q8_0: per block of 32 columns the F16 scales of all rows, then 16 vectors whose 16-bit lanes hold
 * two codes of a row. Two products of 8-bit codes fit 16 bits; their sum widens to 32.
 */
final class Q8Groups extends RowGroups {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final int SOURCE_BYTES = 34;
  private static final int BLOCK_BYTES = 17 * VECTOR_BYTES;
  private static final int WARM_UP_BLOCKS = 4;

  /**
   * Columns up to which plain Java runs until the vectors are compiled. More mean a larger model,
   * whose own calls have them compiled sooner than a thread beside busy workers.
   */
  private static final int WARM_UP_COLUMNS = 1024;

  private static final WarmUp WARM_UP = newWarmUp();

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
        for (int pair = 0; pair < 16; pair++) {
          short codes = source.get(Tensor.SHORT, from + 2 + 2 * pair);
          target.set(Tensor.SHORT, to + (long) (pair + 1) * VECTOR_BYTES, codes);
        }
      }
    }
    return true;
  }

  @Override
  void warmUp(int in) {
    if (in <= WARM_UP_COLUMNS) {
      WARM_UP.start();
    }
  }

  private static WarmUp newWarmUp() {
    QuantizedRows x = new QuantizedRows();
    x.reserve(WARM_UP_BLOCKS * 32);
    MemorySegment packed = Arena.ofAuto().allocate(WARM_UP_BLOCKS * (long) BLOCK_BYTES);
    float[] out = new float[ROWS];
    // Compiled code reads more than 10 GB/s; before, it is less than 0.1.
    long compiledNanos = packed.byteSize();
    return new WarmUp(
        "q8", blocks -> vectors(packed, 0, blocks, x, 0, out, 0), WARM_UP_BLOCKS, compiledNanos);
  }

  @Override
  void dots(MemorySegment packed, long at, Activations x, int xRow, float[] out, int outAt) {
    int blocks = x.inFeatures() / 32;
    if (x.inFeatures() > WARM_UP_COLUMNS || WARM_UP.ready()) {
      vectors(packed, at, blocks, x.quantized(), xRow * blocks, out, outAt);
    } else {
      plain(packed, at, blocks, x.quantized(), xRow * blocks, out, outAt);
    }
  }

  /** The same as {@link #vectors}, bit for bit, without vectors. */
  static void plain(
      MemorySegment packed,
      long at,
      int blocks,
      QuantizedRows x,
      int xBlock,
      float[] out,
      int outAt) {
    int[] codes = x.codes();
    short[] block = new short[BLOCK_BYTES / Short.BYTES];
    int[] products = new int[ROWS];
    float[] sums = new float[ROWS];
    for (int b = 0; b < blocks; b++) {
      long from = at + (long) b * BLOCK_BYTES;
      MemorySegment.copy(packed, Tensor.SHORT, from, block, 0, block.length);
      Arrays.fill(products, 0);
      for (int pair = 0; pair < 16; pair++) {
        int k = (xBlock + b) * 32 + 2 * pair;
        addPair(block, (pair + 1) * ROWS, (short) codes[k], (short) codes[k + 1], products);
      }
      float scale = x.scales()[xBlock + b] * HALF_SCALE;
      for (int i = 0; i < ROWS; i++) {
        float d = Float.intBitsToFloat(block[i] << 16 >> 3 & HALF_MASK) * scale;
        sums[i] = Math.fma((float) products[i], d, sums[i]);
      }
    }
    for (int r = 0; r < ROWS; r++) {
      out[outAt + r] = sums[lane(r)] * HALF_REST;
    }
  }

  private static void addPair(short[] block, int at, int first, int second, int[] products) {
    for (int i = 0; i < ROWS; i++) {
      int pair = block[at + i];
      products[i] += (byte) pair * first + (pair >> 8) * second;
    }
  }

  /** The products of a group with the blocks of x from {@code xBlock} on. */
  static void vectors(
      MemorySegment packed,
      long at,
      int blocks,
      QuantizedRows x,
      int xBlock,
      float[] out,
      int outAt) {
    if (!packed.isNative()) {
      throw NativeMemory.required();
    }
    int[] codes = x.codes();
    float[] scales = x.scales();
    int k = 32 * xBlock;
    FloatVector a0 = FloatVector.zero(FLOAT);
    FloatVector a1 = a0;
    long block = at;
    for (int b = 0; b < blocks; b++) {
      IntVector s0 = IntVector.zero(INT);
      IntVector s1 = s0;
      long q = block + VECTOR_BYTES;
      for (int g = 0; g < 8; g++) {
        ShortVector v = IntVector.fromMemorySegment(INT, packed, q, LE).reinterpretAsShorts();
        ShortVector u =
            IntVector.fromMemorySegment(INT, packed, q + VECTOR_BYTES, LE).reinterpretAsShorts();
        IntVector t =
            v.lanewise(LSHL, 8)
                .lanewise(ASHR, 8)
                .mul(IntVector.broadcast(INT, codes[k]).reinterpretAsShorts())
                .add(
                    v.lanewise(ASHR, 8)
                        .mul(IntVector.broadcast(INT, codes[k + 1]).reinterpretAsShorts()))
                .reinterpretAsInts();
        s0 = s0.add(t.lanewise(LSHL, 16).lanewise(ASHR, 16));
        s1 = s1.add(t.lanewise(ASHR, 16));
        t =
            u.lanewise(LSHL, 8)
                .lanewise(ASHR, 8)
                .mul(IntVector.broadcast(INT, codes[k + 2]).reinterpretAsShorts())
                .add(
                    u.lanewise(ASHR, 8)
                        .mul(IntVector.broadcast(INT, codes[k + 3]).reinterpretAsShorts()))
                .reinterpretAsInts();
        s0 = s0.add(t.lanewise(LSHL, 16).lanewise(ASHR, 16));
        s1 = s1.add(t.lanewise(ASHR, 16));
        q += 2 * VECTOR_BYTES;
        k += 4;
      }
      IntVector h = IntVector.fromMemorySegment(INT, packed, block, LE);
      float scale = scales[xBlock + b] * HALF_SCALE;
      FloatVector d0 =
          h.lanewise(LSHL, 16).lanewise(ASHR, 3).and(HALF_MASK).reinterpretAsFloats().mul(scale);
      FloatVector d1 = h.lanewise(ASHR, 3).and(HALF_MASK).reinterpretAsFloats().mul(scale);
      a0 = ((FloatVector) s0.convert(I2F, 0)).fma(d0, a0);
      a1 = ((FloatVector) s1.convert(I2F, 0)).fma(d1, a1);
      block += BLOCK_BYTES;
    }
    a0.mul(HALF_REST).intoArray(out, outAt);
    a1.mul(HALF_REST).intoArray(out, outAt + LANES);
  }
}
