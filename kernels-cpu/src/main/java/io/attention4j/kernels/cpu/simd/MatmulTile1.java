package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;

import jdk.incubator.vector.FloatVector;

/** As {@link MatmulTile4}, one vector wide: for the last rows of x. */
final class MatmulTile1 {
  private MatmulTile1() {}

  /**
   * c[i][lane] (+)= sum_k w[i][k] * x[k][lane] for 6 rows i.
   *
   * @param w 6 rows of {@code wStride} from {@code wAt}
   * @param x {@code depth} rows of {@code xStride} from {@code xAt}
   * @param c 6 rows of {@code cStride} from {@code cAt}
   * @param add whether to add to c or to overwrite it
   */
  static void multiply(
      float[] w,
      int wAt,
      int wStride,
      float[] x,
      int xAt,
      int xStride,
      int depth,
      float[] c,
      int cAt,
      int cStride,
      boolean add) {
    FloatVector c00 = FloatVector.zero(FLOAT);
    FloatVector c10 = FloatVector.zero(FLOAT);
    FloatVector c20 = FloatVector.zero(FLOAT);
    FloatVector c30 = FloatVector.zero(FLOAT);
    FloatVector c40 = FloatVector.zero(FLOAT);
    FloatVector c50 = FloatVector.zero(FLOAT);
    int c1 = cAt + cStride;
    int c2 = c1 + cStride;
    int c3 = c2 + cStride;
    int c4 = c3 + cStride;
    int c5 = c4 + cStride;
    if (add) {
      c00 = FloatVector.fromArray(FLOAT, c, cAt);
      c10 = FloatVector.fromArray(FLOAT, c, c1);
      c20 = FloatVector.fromArray(FLOAT, c, c2);
      c30 = FloatVector.fromArray(FLOAT, c, c3);
      c40 = FloatVector.fromArray(FLOAT, c, c4);
      c50 = FloatVector.fromArray(FLOAT, c, c5);
    }
    int w1 = wAt + wStride;
    int w2 = w1 + wStride;
    int w3 = w2 + wStride;
    int w4 = w3 + wStride;
    int w5 = w4 + wStride;
    for (int k = 0; k < depth; k++) {
      int b = xAt + k * xStride;
      FloatVector b0 = FloatVector.fromArray(FLOAT, x, b);
      FloatVector a = FloatVector.broadcast(FLOAT, w[wAt + k]);
      c00 = a.fma(b0, c00);
      a = FloatVector.broadcast(FLOAT, w[w1 + k]);
      c10 = a.fma(b0, c10);
      a = FloatVector.broadcast(FLOAT, w[w2 + k]);
      c20 = a.fma(b0, c20);
      a = FloatVector.broadcast(FLOAT, w[w3 + k]);
      c30 = a.fma(b0, c30);
      a = FloatVector.broadcast(FLOAT, w[w4 + k]);
      c40 = a.fma(b0, c40);
      a = FloatVector.broadcast(FLOAT, w[w5 + k]);
      c50 = a.fma(b0, c50);
    }
    c00.intoArray(c, cAt);
    c10.intoArray(c, c1);
    c20.intoArray(c, c2);
    c30.intoArray(c, c3);
    c40.intoArray(c, c4);
    c50.intoArray(c, c5);
  }
}
