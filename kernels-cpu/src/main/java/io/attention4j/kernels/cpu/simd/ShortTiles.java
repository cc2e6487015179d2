package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.INT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static io.attention4j.kernels.cpu.simd.Species.SHORT;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.XOR;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * 4-bit weights times many rows of x in 16-bit lanes: twice the lanes of f32, so more than its FMA
 * peak. Two row groups are unpacked {@link #DEPTH} columns at a time and multiplied with four rows
 * of x at once; each block of 32 columns then widens to f32. One instance per worker.
 */
final class ShortTiles {
  /** Weight rows: two groups. */
  static final int ROWS = 2 * RowGroups.ROWS;

  /** Rows of x multiplied at once. */
  static final int X_ROWS = 4;

  /** Columns unpacked at a time, so that they stay in the first-level cache. */
  static final int DEPTH = 128;

  private static final int BLOCK = QuantizedRows.BLOCK;

  /** 2^23 + 2^15. */
  private static final float MAGIC = 0x1.01p23f;

  private static final int MAGIC_BITS = Float.floatToRawIntBits(MAGIC);

  private final short[] codes = new short[DEPTH * ROWS];
  private final float[] scales = new float[DEPTH / BLOCK * ROWS];
  private float[] offsets = new float[0];

  /**
   * out[r][i] = row i of the groups . row r of x.
   *
   * @param group first group; the second one is computed if {@code groups} is 2
   * @param x in the order of {@link #tileBlock}
   * @param xRows rows of x, a multiple of {@link #X_ROWS}
   * @param out [xRows, ROWS]
   */
  void multiply(
      PackedWeight weight,
      long group,
      int groups,
      QuantizedRows x,
      int xRows,
      int in,
      float[] out) {
    Arrays.fill(out, 0, xRows * ROWS, 0);
    int blocks = in / BLOCK;
    if (weight.layout().hasOffsets() && offsets.length < blocks * ROWS) {
      offsets = new float[blocks * ROWS];
    }
    for (int k = 0; k < in; k += DEPTH) {
      int depth = Math.min(DEPTH, in - k);
      for (int g = 0; g < groups; g++) {
        weight
            .layout()
            .unpack(
                weight.memory(),
                (group + g) * weight.groupBytes(),
                in,
                k,
                depth,
                codes,
                g * RowGroups.ROWS,
                scales,
                offsets,
                k / BLOCK * ROWS + g * RowGroups.ROWS);
      }
      for (int r = 0; r < xRows; r += X_ROWS) {
        int xBlock = tileBlock(r, k / BLOCK, xRows, blocks);
        multiplyBlocks(codes, scales, depth / BLOCK, x.codes(), x.scales(), xBlock, out, r * ROWS);
      }
    }
    if (weight.layout().hasOffsets()) {
      Products.run(
          x.sums(), 0, blocks, 1, offsets, 0, ROWS, out, 0, ROWS, xRows, blocks, ROWS, true);
    }
  }

  /**
   * Where a block of 32 columns stands in the order of use: {@link #DEPTH} columns of {@link
   * #X_ROWS} rows, those rows' blocks side by side.
   *
   * @param xRows all rows, a multiple of {@link #X_ROWS}
   * @param blocks of a row
   */
  static int tileBlock(int row, int block, int xRows, int blocks) {
    int inDepth = block % (DEPTH / BLOCK);
    int depthBlocks = Math.min(DEPTH / BLOCK, blocks - (block - inDepth));
    int inTile = row % X_ROWS;
    return (block - inDepth) * xRows + (row - inTile) * depthBlocks + inDepth * X_ROWS + inTile;
  }

  /**
   * out += scale * scale of x * the products of some blocks. The sums of 32 products fit 16 bits,
   * see {@link Q4Groups}. A 16-bit sum s in the lower half of an int becomes a float without a
   * shift: the bits of 2^23 and of s + 2^15 are those of 2^23 + 2^15 + s.
   */
  private static void multiplyBlocks(
      short[] w,
      float[] wScales,
      int blocks,
      int[] x,
      float[] xScales,
      int xBlock,
      float[] out,
      int outAt) {
    FloatVector a0 = FloatVector.fromArray(FLOAT, out, outAt);
    FloatVector a1 = FloatVector.fromArray(FLOAT, out, outAt + LANES);
    FloatVector a2 = FloatVector.fromArray(FLOAT, out, outAt + 2 * LANES);
    FloatVector a3 = FloatVector.fromArray(FLOAT, out, outAt + 3 * LANES);
    FloatVector b0 = FloatVector.fromArray(FLOAT, out, outAt + ROWS);
    FloatVector b1 = FloatVector.fromArray(FLOAT, out, outAt + ROWS + LANES);
    FloatVector b2 = FloatVector.fromArray(FLOAT, out, outAt + ROWS + 2 * LANES);
    FloatVector b3 = FloatVector.fromArray(FLOAT, out, outAt + ROWS + 3 * LANES);
    FloatVector c0 = FloatVector.fromArray(FLOAT, out, outAt + 2 * ROWS);
    FloatVector c1 = FloatVector.fromArray(FLOAT, out, outAt + 2 * ROWS + LANES);
    FloatVector c2 = FloatVector.fromArray(FLOAT, out, outAt + 2 * ROWS + 2 * LANES);
    FloatVector c3 = FloatVector.fromArray(FLOAT, out, outAt + 2 * ROWS + 3 * LANES);
    FloatVector d0 = FloatVector.fromArray(FLOAT, out, outAt + 3 * ROWS);
    FloatVector d1 = FloatVector.fromArray(FLOAT, out, outAt + 3 * ROWS + LANES);
    FloatVector d2 = FloatVector.fromArray(FLOAT, out, outAt + 3 * ROWS + 2 * LANES);
    FloatVector d3 = FloatVector.fromArray(FLOAT, out, outAt + 3 * ROWS + 3 * LANES);
    for (int b = 0; b < blocks; b++) {
      int wAt = b * BLOCK * ROWS;
      int tile = xBlock + b * X_ROWS;
      int xb = tile * BLOCK;
      ShortVector ap = ShortVector.zero(SHORT);
      ShortVector aq = ap;
      ShortVector bp = ap;
      ShortVector bq = ap;
      ShortVector cp = ap;
      ShortVector cq = ap;
      ShortVector dp = ap;
      ShortVector dq = ap;
      for (int k = 0; k < BLOCK; k++) {
        ShortVector w0 = ShortVector.fromArray(SHORT, w, wAt + k * ROWS);
        ShortVector w1 = ShortVector.fromArray(SHORT, w, wAt + k * ROWS + RowGroups.ROWS);
        ShortVector v = IntVector.broadcast(INT, x[xb + k]).reinterpretAsShorts();
        ap = ap.add(w0.mul(v));
        aq = aq.add(w1.mul(v));
        v = IntVector.broadcast(INT, x[xb + k + BLOCK]).reinterpretAsShorts();
        bp = bp.add(w0.mul(v));
        bq = bq.add(w1.mul(v));
        v = IntVector.broadcast(INT, x[xb + k + 2 * BLOCK]).reinterpretAsShorts();
        cp = cp.add(w0.mul(v));
        cq = cq.add(w1.mul(v));
        v = IntVector.broadcast(INT, x[xb + k + 3 * BLOCK]).reinterpretAsShorts();
        dp = dp.add(w0.mul(v));
        dq = dq.add(w1.mul(v));
      }
      int row = b * ROWS;
      FloatVector f0 = FloatVector.fromArray(FLOAT, wScales, row);
      FloatVector f1 = FloatVector.fromArray(FLOAT, wScales, row + LANES);
      FloatVector f2 = FloatVector.fromArray(FLOAT, wScales, row + 2 * LANES);
      FloatVector f3 = FloatVector.fromArray(FLOAT, wScales, row + 3 * LANES);
      FloatVector scale = FloatVector.broadcast(FLOAT, xScales[tile]);
      IntVector s = ap.reinterpretAsInts();
      a0 =
          s.and(0xffff)
              .lanewise(XOR, MAGIC_BITS)
              .reinterpretAsFloats()
              .sub(MAGIC)
              .mul(f0)
              .fma(scale, a0);
      a1 = ((FloatVector) s.lanewise(ASHR, 16).convert(I2F, 0)).mul(f1).fma(scale, a1);
      s = aq.reinterpretAsInts();
      a2 =
          s.and(0xffff)
              .lanewise(XOR, MAGIC_BITS)
              .reinterpretAsFloats()
              .sub(MAGIC)
              .mul(f2)
              .fma(scale, a2);
      a3 = ((FloatVector) s.lanewise(ASHR, 16).convert(I2F, 0)).mul(f3).fma(scale, a3);
      scale = FloatVector.broadcast(FLOAT, xScales[tile + 1]);
      s = bp.reinterpretAsInts();
      b0 =
          s.and(0xffff)
              .lanewise(XOR, MAGIC_BITS)
              .reinterpretAsFloats()
              .sub(MAGIC)
              .mul(f0)
              .fma(scale, b0);
      b1 = ((FloatVector) s.lanewise(ASHR, 16).convert(I2F, 0)).mul(f1).fma(scale, b1);
      s = bq.reinterpretAsInts();
      b2 =
          s.and(0xffff)
              .lanewise(XOR, MAGIC_BITS)
              .reinterpretAsFloats()
              .sub(MAGIC)
              .mul(f2)
              .fma(scale, b2);
      b3 = ((FloatVector) s.lanewise(ASHR, 16).convert(I2F, 0)).mul(f3).fma(scale, b3);
      scale = FloatVector.broadcast(FLOAT, xScales[tile + 2]);
      s = cp.reinterpretAsInts();
      c0 =
          s.and(0xffff)
              .lanewise(XOR, MAGIC_BITS)
              .reinterpretAsFloats()
              .sub(MAGIC)
              .mul(f0)
              .fma(scale, c0);
      c1 = ((FloatVector) s.lanewise(ASHR, 16).convert(I2F, 0)).mul(f1).fma(scale, c1);
      s = cq.reinterpretAsInts();
      c2 =
          s.and(0xffff)
              .lanewise(XOR, MAGIC_BITS)
              .reinterpretAsFloats()
              .sub(MAGIC)
              .mul(f2)
              .fma(scale, c2);
      c3 = ((FloatVector) s.lanewise(ASHR, 16).convert(I2F, 0)).mul(f3).fma(scale, c3);
      scale = FloatVector.broadcast(FLOAT, xScales[tile + 3]);
      s = dp.reinterpretAsInts();
      d0 =
          s.and(0xffff)
              .lanewise(XOR, MAGIC_BITS)
              .reinterpretAsFloats()
              .sub(MAGIC)
              .mul(f0)
              .fma(scale, d0);
      d1 = ((FloatVector) s.lanewise(ASHR, 16).convert(I2F, 0)).mul(f1).fma(scale, d1);
      s = dq.reinterpretAsInts();
      d2 =
          s.and(0xffff)
              .lanewise(XOR, MAGIC_BITS)
              .reinterpretAsFloats()
              .sub(MAGIC)
              .mul(f2)
              .fma(scale, d2);
      d3 = ((FloatVector) s.lanewise(ASHR, 16).convert(I2F, 0)).mul(f3).fma(scale, d3);
    }
    a0.intoArray(out, outAt);
    a1.intoArray(out, outAt + LANES);
    a2.intoArray(out, outAt + 2 * LANES);
    a3.intoArray(out, outAt + 3 * LANES);
    b0.intoArray(out, outAt + ROWS);
    b1.intoArray(out, outAt + ROWS + LANES);
    b2.intoArray(out, outAt + ROWS + 2 * LANES);
    b3.intoArray(out, outAt + ROWS + 3 * LANES);
    c0.intoArray(out, outAt + 2 * ROWS);
    c1.intoArray(out, outAt + 2 * ROWS + LANES);
    c2.intoArray(out, outAt + 2 * ROWS + 2 * LANES);
    c3.intoArray(out, outAt + 2 * ROWS + 3 * LANES);
    d0.intoArray(out, outAt + 3 * ROWS);
    d1.intoArray(out, outAt + 3 * ROWS + LANES);
    d2.intoArray(out, outAt + 3 * ROWS + 2 * LANES);
    d3.intoArray(out, outAt + 3 * ROWS + 3 * LANES);
  }
}
