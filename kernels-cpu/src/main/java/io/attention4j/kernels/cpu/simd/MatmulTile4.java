package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import jdk.incubator.vector.FloatVector;

/**
 * The register tile of AVX-512: 6 weight rows times 4 vectors of rows of x. 24 accumulators, 4
 * loaded vectors and a broadcast fill its 32 registers; they are locals because C2 keeps nothing
 * else in registers. {@link MatmulTile2} is the same for 16 registers, {@link MatmulTile1} for the
 * rest of the rows.
 */
final class MatmulTile4 {
  private MatmulTile4() {}

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
    FloatVector c01 = FloatVector.zero(FLOAT);
    FloatVector c02 = FloatVector.zero(FLOAT);
    FloatVector c03 = FloatVector.zero(FLOAT);
    FloatVector c10 = FloatVector.zero(FLOAT);
    FloatVector c11 = FloatVector.zero(FLOAT);
    FloatVector c12 = FloatVector.zero(FLOAT);
    FloatVector c13 = FloatVector.zero(FLOAT);
    FloatVector c20 = FloatVector.zero(FLOAT);
    FloatVector c21 = FloatVector.zero(FLOAT);
    FloatVector c22 = FloatVector.zero(FLOAT);
    FloatVector c23 = FloatVector.zero(FLOAT);
    FloatVector c30 = FloatVector.zero(FLOAT);
    FloatVector c31 = FloatVector.zero(FLOAT);
    FloatVector c32 = FloatVector.zero(FLOAT);
    FloatVector c33 = FloatVector.zero(FLOAT);
    FloatVector c40 = FloatVector.zero(FLOAT);
    FloatVector c41 = FloatVector.zero(FLOAT);
    FloatVector c42 = FloatVector.zero(FLOAT);
    FloatVector c43 = FloatVector.zero(FLOAT);
    FloatVector c50 = FloatVector.zero(FLOAT);
    FloatVector c51 = FloatVector.zero(FLOAT);
    FloatVector c52 = FloatVector.zero(FLOAT);
    FloatVector c53 = FloatVector.zero(FLOAT);
    int c1 = cAt + cStride;
    int c2 = c1 + cStride;
    int c3 = c2 + cStride;
    int c4 = c3 + cStride;
    int c5 = c4 + cStride;
    if (add) {
      c00 = FloatVector.fromArray(FLOAT, c, cAt);
      c01 = FloatVector.fromArray(FLOAT, c, cAt + LANES);
      c02 = FloatVector.fromArray(FLOAT, c, cAt + 2 * LANES);
      c03 = FloatVector.fromArray(FLOAT, c, cAt + 3 * LANES);
      c10 = FloatVector.fromArray(FLOAT, c, c1);
      c11 = FloatVector.fromArray(FLOAT, c, c1 + LANES);
      c12 = FloatVector.fromArray(FLOAT, c, c1 + 2 * LANES);
      c13 = FloatVector.fromArray(FLOAT, c, c1 + 3 * LANES);
      c20 = FloatVector.fromArray(FLOAT, c, c2);
      c21 = FloatVector.fromArray(FLOAT, c, c2 + LANES);
      c22 = FloatVector.fromArray(FLOAT, c, c2 + 2 * LANES);
      c23 = FloatVector.fromArray(FLOAT, c, c2 + 3 * LANES);
      c30 = FloatVector.fromArray(FLOAT, c, c3);
      c31 = FloatVector.fromArray(FLOAT, c, c3 + LANES);
      c32 = FloatVector.fromArray(FLOAT, c, c3 + 2 * LANES);
      c33 = FloatVector.fromArray(FLOAT, c, c3 + 3 * LANES);
      c40 = FloatVector.fromArray(FLOAT, c, c4);
      c41 = FloatVector.fromArray(FLOAT, c, c4 + LANES);
      c42 = FloatVector.fromArray(FLOAT, c, c4 + 2 * LANES);
      c43 = FloatVector.fromArray(FLOAT, c, c4 + 3 * LANES);
      c50 = FloatVector.fromArray(FLOAT, c, c5);
      c51 = FloatVector.fromArray(FLOAT, c, c5 + LANES);
      c52 = FloatVector.fromArray(FLOAT, c, c5 + 2 * LANES);
      c53 = FloatVector.fromArray(FLOAT, c, c5 + 3 * LANES);
    }
    int w1 = wAt + wStride;
    int w2 = w1 + wStride;
    int w3 = w2 + wStride;
    int w4 = w3 + wStride;
    int w5 = w4 + wStride;
    for (int k = 0; k < depth; k++) {
      int b = xAt + k * xStride;
      FloatVector b0 = FloatVector.fromArray(FLOAT, x, b);
      FloatVector b1 = FloatVector.fromArray(FLOAT, x, b + LANES);
      FloatVector b2 = FloatVector.fromArray(FLOAT, x, b + 2 * LANES);
      FloatVector b3 = FloatVector.fromArray(FLOAT, x, b + 3 * LANES);
      FloatVector a = FloatVector.broadcast(FLOAT, w[wAt + k]);
      c00 = a.fma(b0, c00);
      c01 = a.fma(b1, c01);
      c02 = a.fma(b2, c02);
      c03 = a.fma(b3, c03);
      a = FloatVector.broadcast(FLOAT, w[w1 + k]);
      c10 = a.fma(b0, c10);
      c11 = a.fma(b1, c11);
      c12 = a.fma(b2, c12);
      c13 = a.fma(b3, c13);
      a = FloatVector.broadcast(FLOAT, w[w2 + k]);
      c20 = a.fma(b0, c20);
      c21 = a.fma(b1, c21);
      c22 = a.fma(b2, c22);
      c23 = a.fma(b3, c23);
      a = FloatVector.broadcast(FLOAT, w[w3 + k]);
      c30 = a.fma(b0, c30);
      c31 = a.fma(b1, c31);
      c32 = a.fma(b2, c32);
      c33 = a.fma(b3, c33);
      a = FloatVector.broadcast(FLOAT, w[w4 + k]);
      c40 = a.fma(b0, c40);
      c41 = a.fma(b1, c41);
      c42 = a.fma(b2, c42);
      c43 = a.fma(b3, c43);
      a = FloatVector.broadcast(FLOAT, w[w5 + k]);
      c50 = a.fma(b0, c50);
      c51 = a.fma(b1, c51);
      c52 = a.fma(b2, c52);
      c53 = a.fma(b3, c53);
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
    c40.intoArray(c, c4);
    c41.intoArray(c, c4 + LANES);
    c42.intoArray(c, c4 + 2 * LANES);
    c43.intoArray(c, c4 + 3 * LANES);
    c50.intoArray(c, c5);
    c51.intoArray(c, c5 + LANES);
    c52.intoArray(c, c5 + 2 * LANES);
    c53.intoArray(c, c5 + 3 * LANES);
  }
}
