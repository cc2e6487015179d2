package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.INT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static io.attention4j.kernels.cpu.simd.Species.SHORT;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;

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

  private final short[] codes = new short[DEPTH * ROWS];
  private final float[] scales = new float[DEPTH / BLOCK * ROWS];
  private final float[] offsets = new float[DEPTH / BLOCK * ROWS];
  private final short[] products = new short[X_ROWS * ROWS];

  /**
   * out[r][i] = row i of the groups . row r of x.
   *
   * @param group first group; the second one is computed if {@code groups} is 2
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
    float[] sumFactors = weight.layout().hasOffsets() ? offsets : null;
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
                offsets);
      }
      for (int r = 0; r < xRows; r += X_ROWS) {
        for (int b = 0; b < depth / BLOCK; b++) {
          int xAt = r * in + k + b * BLOCK;
          multiplyBlock(codes, b * BLOCK * ROWS, x.codes(), xAt, in, products);
          int xBlock = r * blocks + k / BLOCK + b;
          addBlock(products, scales, sumFactors, b * ROWS, x, xBlock, blocks, out, r * ROWS);
        }
      }
    }
  }

  /** The sums of 32 products fit 16 bits, see {@link Q4Groups}. */
  private static void multiplyBlock(
      short[] w, int wAt, int[] x, int xAt, int xStride, short[] products) {
    ShortVector a0 = ShortVector.zero(SHORT);
    ShortVector a1 = a0;
    ShortVector b0 = a0;
    ShortVector b1 = a0;
    ShortVector c0 = a0;
    ShortVector c1 = a0;
    ShortVector d0 = a0;
    ShortVector d1 = a0;
    int xb = xAt + xStride;
    int xc = xb + xStride;
    int xd = xc + xStride;
    for (int k = 0; k < BLOCK; k++) {
      ShortVector w0 = ShortVector.fromArray(SHORT, w, wAt + k * ROWS);
      ShortVector w1 = ShortVector.fromArray(SHORT, w, wAt + k * ROWS + RowGroups.ROWS);
      ShortVector v = IntVector.broadcast(INT, x[xAt + k]).reinterpretAsShorts();
      a0 = a0.add(w0.mul(v));
      a1 = a1.add(w1.mul(v));
      v = IntVector.broadcast(INT, x[xb + k]).reinterpretAsShorts();
      b0 = b0.add(w0.mul(v));
      b1 = b1.add(w1.mul(v));
      v = IntVector.broadcast(INT, x[xc + k]).reinterpretAsShorts();
      c0 = c0.add(w0.mul(v));
      c1 = c1.add(w1.mul(v));
      v = IntVector.broadcast(INT, x[xd + k]).reinterpretAsShorts();
      d0 = d0.add(w0.mul(v));
      d1 = d1.add(w1.mul(v));
    }
    a0.intoArray(products, 0);
    a1.intoArray(products, RowGroups.ROWS);
    b0.intoArray(products, ROWS);
    b1.intoArray(products, ROWS + RowGroups.ROWS);
    c0.intoArray(products, 2 * ROWS);
    c1.intoArray(products, 2 * ROWS + RowGroups.ROWS);
    d0.intoArray(products, 3 * ROWS);
    d1.intoArray(products, 3 * ROWS + RowGroups.ROWS);
  }

  /** out += (scale * product + offset * sum of codes) * scale of x. */
  private static void addBlock(
      short[] products,
      float[] scales,
      float[] offsets,
      int at,
      QuantizedRows x,
      int xBlock,
      int xBlocks,
      float[] out,
      int outAt) {
    for (int r = 0; r < X_ROWS; r++) {
      float xScale = x.scales()[xBlock + r * xBlocks];
      float xSum = x.codeSums()[xBlock + r * xBlocks];
      addGroup(products, r * ROWS, scales, offsets, at, xScale, xSum, out, outAt + r * ROWS);
      addGroup(
          products,
          r * ROWS + RowGroups.ROWS,
          scales,
          offsets,
          at + RowGroups.ROWS,
          xScale,
          xSum,
          out,
          outAt + r * ROWS + RowGroups.ROWS);
    }
  }

  private static void addGroup(
      short[] products,
      int productsAt,
      float[] scales,
      float[] offsets,
      int at,
      float xScale,
      float xSum,
      float[] out,
      int outAt) {
    IntVector s = ShortVector.fromArray(SHORT, products, productsAt).reinterpretAsInts();
    FloatVector p0 = (FloatVector) s.lanewise(LSHL, 16).lanewise(ASHR, 16).convert(I2F, 0);
    FloatVector p1 = (FloatVector) s.lanewise(ASHR, 16).convert(I2F, 0);
    FloatVector scale = FloatVector.broadcast(FLOAT, xScale);
    if (offsets == null) {
      p0 = p0.mul(FloatVector.fromArray(FLOAT, scales, at));
      p1 = p1.mul(FloatVector.fromArray(FLOAT, scales, at + LANES));
    } else {
      FloatVector sum = FloatVector.broadcast(FLOAT, xSum);
      p0 =
          p0.fma(
              FloatVector.fromArray(FLOAT, scales, at),
              sum.mul(FloatVector.fromArray(FLOAT, offsets, at)));
      p1 =
          p1.fma(
              FloatVector.fromArray(FLOAT, scales, at + LANES),
              sum.mul(FloatVector.fromArray(FLOAT, offsets, at + LANES)));
    }
    p0.fma(scale, FloatVector.fromArray(FLOAT, out, outAt)).intoArray(out, outAt);
    p1.fma(scale, FloatVector.fromArray(FLOAT, out, outAt + LANES)).intoArray(out, outAt + LANES);
  }
}
