package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import jdk.incubator.vector.FloatVector;

/**
 * Small matrix products on arrays, C (+)= A B: four rows by four vectors of C, or eight by two, in
 * registers. A is read element by element with strides of its own, so it may lie transposed.
 */
final class Products {
  private Products() {}

  /**
   * c[i, j] (+)= sum_p a[i, p] b[p, j].
   *
   * @param rows of a and c, a multiple of 4
   * @param depth columns of a, rows of b
   * @param columns of b and c, a multiple of the lanes
   * @param add whether to add to c or to overwrite it
   */
  static void run(
      float[] a,
      int aAt,
      int aRow,
      int aColumn,
      float[] b,
      int bAt,
      int bRow,
      float[] c,
      int cAt,
      int cRow,
      int rows,
      int depth,
      int columns,
      boolean add) {
    int j = 0;
    for (; j + 4 * LANES <= columns; j += 4 * LANES) {
      for (int i = 0; i < rows; i += 4) {
        wide(
            a,
            aAt + i * aRow,
            aRow,
            aColumn,
            b,
            bAt + j,
            bRow,
            c,
            cAt + i * cRow + j,
            cRow,
            depth,
            add);
      }
    }
    if (rows % 8 == 0) {
      for (; j + 2 * LANES <= columns; j += 2 * LANES) {
        for (int i = 0; i < rows; i += 8) {
          int to = cAt + i * cRow + j;
          tall(a, aAt + i * aRow, aRow, aColumn, b, bAt + j, bRow, c, to, cRow, depth, add);
        }
      }
    }
    for (; j < columns; j += LANES) {
      for (int i = 0; i < rows; i += 4) {
        narrow(
            a,
            aAt + i * aRow,
            aRow,
            aColumn,
            b,
            bAt + j,
            bRow,
            c,
            cAt + i * cRow + j,
            cRow,
            depth,
            add);
      }
    }
  }

  private static FloatVector start(float[] c, int at, boolean add) {
    return add ? FloatVector.fromArray(FLOAT, c, at) : FloatVector.zero(FLOAT);
  }

  private static void wide(
      float[] a,
      int aAt,
      int aRow,
      int aColumn,
      float[] b,
      int bAt,
      int bRow,
      float[] c,
      int cAt,
      int cRow,
      int depth,
      boolean add) {
    int c1 = cAt + cRow;
    int c2 = c1 + cRow;
    int c3 = c2 + cRow;
    FloatVector c00 = start(c, cAt, add);
    FloatVector c01 = start(c, cAt + LANES, add);
    FloatVector c02 = start(c, cAt + 2 * LANES, add);
    FloatVector c03 = start(c, cAt + 3 * LANES, add);
    FloatVector c10 = start(c, c1, add);
    FloatVector c11 = start(c, c1 + LANES, add);
    FloatVector c12 = start(c, c1 + 2 * LANES, add);
    FloatVector c13 = start(c, c1 + 3 * LANES, add);
    FloatVector c20 = start(c, c2, add);
    FloatVector c21 = start(c, c2 + LANES, add);
    FloatVector c22 = start(c, c2 + 2 * LANES, add);
    FloatVector c23 = start(c, c2 + 3 * LANES, add);
    FloatVector c30 = start(c, c3, add);
    FloatVector c31 = start(c, c3 + LANES, add);
    FloatVector c32 = start(c, c3 + 2 * LANES, add);
    FloatVector c33 = start(c, c3 + 3 * LANES, add);
    int at = aAt;
    int from = bAt;
    for (int p = 0; p < depth; p++) {
      FloatVector b0 = FloatVector.fromArray(FLOAT, b, from);
      FloatVector b1 = FloatVector.fromArray(FLOAT, b, from + LANES);
      FloatVector b2 = FloatVector.fromArray(FLOAT, b, from + 2 * LANES);
      FloatVector b3 = FloatVector.fromArray(FLOAT, b, from + 3 * LANES);
      FloatVector factor = FloatVector.broadcast(FLOAT, a[at]);
      c00 = factor.fma(b0, c00);
      c01 = factor.fma(b1, c01);
      c02 = factor.fma(b2, c02);
      c03 = factor.fma(b3, c03);
      factor = FloatVector.broadcast(FLOAT, a[at + aRow]);
      c10 = factor.fma(b0, c10);
      c11 = factor.fma(b1, c11);
      c12 = factor.fma(b2, c12);
      c13 = factor.fma(b3, c13);
      factor = FloatVector.broadcast(FLOAT, a[at + 2 * aRow]);
      c20 = factor.fma(b0, c20);
      c21 = factor.fma(b1, c21);
      c22 = factor.fma(b2, c22);
      c23 = factor.fma(b3, c23);
      factor = FloatVector.broadcast(FLOAT, a[at + 3 * aRow]);
      c30 = factor.fma(b0, c30);
      c31 = factor.fma(b1, c31);
      c32 = factor.fma(b2, c32);
      c33 = factor.fma(b3, c33);
      at += aColumn;
      from += bRow;
    }
    c00.intoArray(c, cAt);
    c01.intoArray(c, cAt + LANES);
    c02.intoArray(c, cAt + 2 * LANES);
    c03.intoArray(c, cAt + 3 * LANES);
    c10.intoArray(c, c1);
    c11.intoArray(c, c1 + LANES);
    c12.intoArray(c, c1 + 2 * LANES);
    c13.intoArray(c, c1 + 3 * LANES);
    c20.intoArray(c, c2);
    c21.intoArray(c, c2 + LANES);
    c22.intoArray(c, c2 + 2 * LANES);
    c23.intoArray(c, c2 + 3 * LANES);
    c30.intoArray(c, c3);
    c31.intoArray(c, c3 + LANES);
    c32.intoArray(c, c3 + 2 * LANES);
    c33.intoArray(c, c3 + 3 * LANES);
  }

  /** Eight rows by two vectors, for few columns. */
  private static void tall(
      float[] a,
      int aAt,
      int aRow,
      int aColumn,
      float[] b,
      int bAt,
      int bRow,
      float[] c,
      int cAt,
      int cRow,
      int depth,
      boolean add) {
    FloatVector c00 = start(c, cAt, add);
    FloatVector c01 = start(c, cAt + LANES, add);
    FloatVector c10 = start(c, cAt + cRow, add);
    FloatVector c11 = start(c, cAt + cRow + LANES, add);
    FloatVector c20 = start(c, cAt + 2 * cRow, add);
    FloatVector c21 = start(c, cAt + 2 * cRow + LANES, add);
    FloatVector c30 = start(c, cAt + 3 * cRow, add);
    FloatVector c31 = start(c, cAt + 3 * cRow + LANES, add);
    FloatVector c40 = start(c, cAt + 4 * cRow, add);
    FloatVector c41 = start(c, cAt + 4 * cRow + LANES, add);
    FloatVector c50 = start(c, cAt + 5 * cRow, add);
    FloatVector c51 = start(c, cAt + 5 * cRow + LANES, add);
    FloatVector c60 = start(c, cAt + 6 * cRow, add);
    FloatVector c61 = start(c, cAt + 6 * cRow + LANES, add);
    FloatVector c70 = start(c, cAt + 7 * cRow, add);
    FloatVector c71 = start(c, cAt + 7 * cRow + LANES, add);
    int at = aAt;
    int from = bAt;
    for (int p = 0; p < depth; p++) {
      FloatVector b0 = FloatVector.fromArray(FLOAT, b, from);
      FloatVector b1 = FloatVector.fromArray(FLOAT, b, from + LANES);
      FloatVector factor = FloatVector.broadcast(FLOAT, a[at]);
      c00 = factor.fma(b0, c00);
      c01 = factor.fma(b1, c01);
      factor = FloatVector.broadcast(FLOAT, a[at + aRow]);
      c10 = factor.fma(b0, c10);
      c11 = factor.fma(b1, c11);
      factor = FloatVector.broadcast(FLOAT, a[at + 2 * aRow]);
      c20 = factor.fma(b0, c20);
      c21 = factor.fma(b1, c21);
      factor = FloatVector.broadcast(FLOAT, a[at + 3 * aRow]);
      c30 = factor.fma(b0, c30);
      c31 = factor.fma(b1, c31);
      factor = FloatVector.broadcast(FLOAT, a[at + 4 * aRow]);
      c40 = factor.fma(b0, c40);
      c41 = factor.fma(b1, c41);
      factor = FloatVector.broadcast(FLOAT, a[at + 5 * aRow]);
      c50 = factor.fma(b0, c50);
      c51 = factor.fma(b1, c51);
      factor = FloatVector.broadcast(FLOAT, a[at + 6 * aRow]);
      c60 = factor.fma(b0, c60);
      c61 = factor.fma(b1, c61);
      factor = FloatVector.broadcast(FLOAT, a[at + 7 * aRow]);
      c70 = factor.fma(b0, c70);
      c71 = factor.fma(b1, c71);
      at += aColumn;
      from += bRow;
    }
    c00.intoArray(c, cAt);
    c01.intoArray(c, cAt + LANES);
    c10.intoArray(c, cAt + cRow);
    c11.intoArray(c, cAt + cRow + LANES);
    c20.intoArray(c, cAt + 2 * cRow);
    c21.intoArray(c, cAt + 2 * cRow + LANES);
    c30.intoArray(c, cAt + 3 * cRow);
    c31.intoArray(c, cAt + 3 * cRow + LANES);
    c40.intoArray(c, cAt + 4 * cRow);
    c41.intoArray(c, cAt + 4 * cRow + LANES);
    c50.intoArray(c, cAt + 5 * cRow);
    c51.intoArray(c, cAt + 5 * cRow + LANES);
    c60.intoArray(c, cAt + 6 * cRow);
    c61.intoArray(c, cAt + 6 * cRow + LANES);
    c70.intoArray(c, cAt + 7 * cRow);
    c71.intoArray(c, cAt + 7 * cRow + LANES);
  }

  private static void narrow(
      float[] a,
      int aAt,
      int aRow,
      int aColumn,
      float[] b,
      int bAt,
      int bRow,
      float[] c,
      int cAt,
      int cRow,
      int depth,
      boolean add) {
    FloatVector c0 = start(c, cAt, add);
    FloatVector c1 = start(c, cAt + cRow, add);
    FloatVector c2 = start(c, cAt + 2 * cRow, add);
    FloatVector c3 = start(c, cAt + 3 * cRow, add);
    int at = aAt;
    for (int p = 0; p < depth; p++) {
      FloatVector b0 = FloatVector.fromArray(FLOAT, b, bAt + p * bRow);
      c0 = FloatVector.broadcast(FLOAT, a[at]).fma(b0, c0);
      c1 = FloatVector.broadcast(FLOAT, a[at + aRow]).fma(b0, c1);
      c2 = FloatVector.broadcast(FLOAT, a[at + 2 * aRow]).fma(b0, c2);
      c3 = FloatVector.broadcast(FLOAT, a[at + 3 * aRow]).fma(b0, c3);
      at += aColumn;
    }
    c0.intoArray(c, cAt);
    c1.intoArray(c, cAt + cRow);
    c2.intoArray(c, cAt + 2 * cRow);
    c3.intoArray(c, cAt + 3 * cRow);
  }
}
