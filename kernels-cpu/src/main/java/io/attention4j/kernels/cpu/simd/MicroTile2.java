package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import jdk.incubator.vector.FloatVector;

/**
 * Register tiles two vectors wide: 12 accumulators, 2 loaded vectors and a broadcast fill the 16
 * registers of AVX2 and SSE. {@link MicroTile4} is the same for other widths. A tile holds query
 * rows in its lanes and keys (or value elements) in its rows, so keys and values are read as they
 * lie, one broadcast per element, and softmax needs no horizontal reduction. Accumulators are
 * locals because C2 keeps nothing else in registers. Two habits that look odd are worth 4 to 7%
 * each: the distance of two keys and the number of their elements are two parameters although they
 * are equal, and {@code at + r * stride} is written out in the loop.
 */
final class MicroTile2 {
  /** Query rows in a tile. */
  static final int WIDTH = 2 * LANES;

  private MicroTile2() {}

  /**
   * s[k][lane] = keys[k] . q[.][lane] for {@code padded} keys.
   *
   * @param keys [padded, dim] from {@code at}
   * @param q [dim, WIDTH] from {@code qAt}
   * @param s [padded, WIDTH] from {@code sAt}, overwritten
   */
  static void scores(
      float[] keys, int at, int dim, int padded, float[] q, int qAt, float[] s, int sAt) {
    int sixes = Panels.sixes(padded);
    int fours = Panels.fours(padded);
    for (int p = 0; p < sixes; p++) {
      scores6(keys, at + p * 6 * dim, dim, dim, q, qAt, s, sAt + p * 6 * WIDTH);
    }
    int done = 6 * sixes;
    for (int p = 0; p < fours; p++) {
      int row = done + 4 * p;
      scores4(keys, at + row * dim, dim, dim, q, qAt, s, sAt + row * WIDTH);
    }
  }

  /**
   * out[d][lane] (+)= sum_k values[k][d] * s[k][lane] over keys [from, to).
   *
   * @param values [keys, dim], and floats to read past the last row
   * @param dim elements of a value; {@link Panels#padded} rows of out are written
   * @param s [., WIDTH], weights of key 0 at 0
   * @param out [padded, WIDTH] from {@code outAt}
   * @param add whether to add to out or to overwrite it
   */
  static void values(
      float[] values, int dim, int from, int to, float[] s, float[] out, int outAt, boolean add) {
    int padded = Panels.padded(dim);
    int sixes = Panels.sixes(padded);
    int fours = Panels.fours(padded);
    int sAt = from * WIDTH;
    for (int p = 0; p < sixes; p++) {
      int at = from * dim + 6 * p;
      values6(values, at, dim, to - from, s, sAt, out, outAt + p * 6 * WIDTH, add);
    }
    int done = 6 * sixes;
    for (int p = 0; p < fours; p++) {
      int at = from * dim + done + 4 * p;
      values4(values, at, dim, to - from, s, sAt, out, outAt + (done + 4 * p) * WIDTH, add);
    }
  }

  private static void scores6(
      float[] keys, int at, int stride, int dim, float[] q, int qAt, float[] s, int sAt) {
    FloatVector c00 = FloatVector.zero(FLOAT);
    FloatVector c01 = FloatVector.zero(FLOAT);
    FloatVector c10 = FloatVector.zero(FLOAT);
    FloatVector c11 = FloatVector.zero(FLOAT);
    FloatVector c20 = FloatVector.zero(FLOAT);
    FloatVector c21 = FloatVector.zero(FLOAT);
    FloatVector c30 = FloatVector.zero(FLOAT);
    FloatVector c31 = FloatVector.zero(FLOAT);
    FloatVector c40 = FloatVector.zero(FLOAT);
    FloatVector c41 = FloatVector.zero(FLOAT);
    FloatVector c50 = FloatVector.zero(FLOAT);
    FloatVector c51 = FloatVector.zero(FLOAT);
    for (int d = 0; d < dim; d++) {
      int b = qAt + d * WIDTH;
      FloatVector b0 = FloatVector.fromArray(FLOAT, q, b);
      FloatVector b1 = FloatVector.fromArray(FLOAT, q, b + LANES);
      FloatVector a = FloatVector.broadcast(FLOAT, keys[at + d]);
      c00 = a.fma(b0, c00);
      c01 = a.fma(b1, c01);
      a = FloatVector.broadcast(FLOAT, keys[at + stride + d]);
      c10 = a.fma(b0, c10);
      c11 = a.fma(b1, c11);
      a = FloatVector.broadcast(FLOAT, keys[at + 2 * stride + d]);
      c20 = a.fma(b0, c20);
      c21 = a.fma(b1, c21);
      a = FloatVector.broadcast(FLOAT, keys[at + 3 * stride + d]);
      c30 = a.fma(b0, c30);
      c31 = a.fma(b1, c31);
      a = FloatVector.broadcast(FLOAT, keys[at + 4 * stride + d]);
      c40 = a.fma(b0, c40);
      c41 = a.fma(b1, c41);
      a = FloatVector.broadcast(FLOAT, keys[at + 5 * stride + d]);
      c50 = a.fma(b0, c50);
      c51 = a.fma(b1, c51);
    }
    c00.intoArray(s, sAt);
    c01.intoArray(s, sAt + LANES);
    c10.intoArray(s, sAt + 2 * LANES);
    c11.intoArray(s, sAt + 3 * LANES);
    c20.intoArray(s, sAt + 4 * LANES);
    c21.intoArray(s, sAt + 5 * LANES);
    c30.intoArray(s, sAt + 6 * LANES);
    c31.intoArray(s, sAt + 7 * LANES);
    c40.intoArray(s, sAt + 8 * LANES);
    c41.intoArray(s, sAt + 9 * LANES);
    c50.intoArray(s, sAt + 10 * LANES);
    c51.intoArray(s, sAt + 11 * LANES);
  }

  private static void scores4(
      float[] keys, int at, int stride, int dim, float[] q, int qAt, float[] s, int sAt) {
    FloatVector c00 = FloatVector.zero(FLOAT);
    FloatVector c01 = FloatVector.zero(FLOAT);
    FloatVector c10 = FloatVector.zero(FLOAT);
    FloatVector c11 = FloatVector.zero(FLOAT);
    FloatVector c20 = FloatVector.zero(FLOAT);
    FloatVector c21 = FloatVector.zero(FLOAT);
    FloatVector c30 = FloatVector.zero(FLOAT);
    FloatVector c31 = FloatVector.zero(FLOAT);
    for (int d = 0; d < dim; d++) {
      int b = qAt + d * WIDTH;
      FloatVector b0 = FloatVector.fromArray(FLOAT, q, b);
      FloatVector b1 = FloatVector.fromArray(FLOAT, q, b + LANES);
      FloatVector a = FloatVector.broadcast(FLOAT, keys[at + d]);
      c00 = a.fma(b0, c00);
      c01 = a.fma(b1, c01);
      a = FloatVector.broadcast(FLOAT, keys[at + stride + d]);
      c10 = a.fma(b0, c10);
      c11 = a.fma(b1, c11);
      a = FloatVector.broadcast(FLOAT, keys[at + 2 * stride + d]);
      c20 = a.fma(b0, c20);
      c21 = a.fma(b1, c21);
      a = FloatVector.broadcast(FLOAT, keys[at + 3 * stride + d]);
      c30 = a.fma(b0, c30);
      c31 = a.fma(b1, c31);
    }
    c00.intoArray(s, sAt);
    c01.intoArray(s, sAt + LANES);
    c10.intoArray(s, sAt + 2 * LANES);
    c11.intoArray(s, sAt + 3 * LANES);
    c20.intoArray(s, sAt + 4 * LANES);
    c21.intoArray(s, sAt + 5 * LANES);
    c30.intoArray(s, sAt + 6 * LANES);
    c31.intoArray(s, sAt + 7 * LANES);
  }

  private static void values6(
      float[] values,
      int at,
      int stride,
      int keys,
      float[] s,
      int sAt,
      float[] out,
      int outAt,
      boolean add) {
    FloatVector c00 = FloatVector.zero(FLOAT);
    FloatVector c01 = FloatVector.zero(FLOAT);
    FloatVector c10 = FloatVector.zero(FLOAT);
    FloatVector c11 = FloatVector.zero(FLOAT);
    FloatVector c20 = FloatVector.zero(FLOAT);
    FloatVector c21 = FloatVector.zero(FLOAT);
    FloatVector c30 = FloatVector.zero(FLOAT);
    FloatVector c31 = FloatVector.zero(FLOAT);
    FloatVector c40 = FloatVector.zero(FLOAT);
    FloatVector c41 = FloatVector.zero(FLOAT);
    FloatVector c50 = FloatVector.zero(FLOAT);
    FloatVector c51 = FloatVector.zero(FLOAT);
    if (add) {
      c00 = FloatVector.fromArray(FLOAT, out, outAt);
      c01 = FloatVector.fromArray(FLOAT, out, outAt + LANES);
      c10 = FloatVector.fromArray(FLOAT, out, outAt + 2 * LANES);
      c11 = FloatVector.fromArray(FLOAT, out, outAt + 3 * LANES);
      c20 = FloatVector.fromArray(FLOAT, out, outAt + 4 * LANES);
      c21 = FloatVector.fromArray(FLOAT, out, outAt + 5 * LANES);
      c30 = FloatVector.fromArray(FLOAT, out, outAt + 6 * LANES);
      c31 = FloatVector.fromArray(FLOAT, out, outAt + 7 * LANES);
      c40 = FloatVector.fromArray(FLOAT, out, outAt + 8 * LANES);
      c41 = FloatVector.fromArray(FLOAT, out, outAt + 9 * LANES);
      c50 = FloatVector.fromArray(FLOAT, out, outAt + 10 * LANES);
      c51 = FloatVector.fromArray(FLOAT, out, outAt + 11 * LANES);
    }
    for (int k = 0; k < keys; k++) {
      int b = sAt + k * WIDTH;
      FloatVector b0 = FloatVector.fromArray(FLOAT, s, b);
      FloatVector b1 = FloatVector.fromArray(FLOAT, s, b + LANES);
      FloatVector a = FloatVector.broadcast(FLOAT, values[at + k * stride]);
      c00 = a.fma(b0, c00);
      c01 = a.fma(b1, c01);
      a = FloatVector.broadcast(FLOAT, values[at + k * stride + 1]);
      c10 = a.fma(b0, c10);
      c11 = a.fma(b1, c11);
      a = FloatVector.broadcast(FLOAT, values[at + k * stride + 2]);
      c20 = a.fma(b0, c20);
      c21 = a.fma(b1, c21);
      a = FloatVector.broadcast(FLOAT, values[at + k * stride + 3]);
      c30 = a.fma(b0, c30);
      c31 = a.fma(b1, c31);
      a = FloatVector.broadcast(FLOAT, values[at + k * stride + 4]);
      c40 = a.fma(b0, c40);
      c41 = a.fma(b1, c41);
      a = FloatVector.broadcast(FLOAT, values[at + k * stride + 5]);
      c50 = a.fma(b0, c50);
      c51 = a.fma(b1, c51);
    }
    c00.intoArray(out, outAt);
    c01.intoArray(out, outAt + LANES);
    c10.intoArray(out, outAt + 2 * LANES);
    c11.intoArray(out, outAt + 3 * LANES);
    c20.intoArray(out, outAt + 4 * LANES);
    c21.intoArray(out, outAt + 5 * LANES);
    c30.intoArray(out, outAt + 6 * LANES);
    c31.intoArray(out, outAt + 7 * LANES);
    c40.intoArray(out, outAt + 8 * LANES);
    c41.intoArray(out, outAt + 9 * LANES);
    c50.intoArray(out, outAt + 10 * LANES);
    c51.intoArray(out, outAt + 11 * LANES);
  }

  private static void values4(
      float[] values,
      int at,
      int stride,
      int keys,
      float[] s,
      int sAt,
      float[] out,
      int outAt,
      boolean add) {
    FloatVector c00 = FloatVector.zero(FLOAT);
    FloatVector c01 = FloatVector.zero(FLOAT);
    FloatVector c10 = FloatVector.zero(FLOAT);
    FloatVector c11 = FloatVector.zero(FLOAT);
    FloatVector c20 = FloatVector.zero(FLOAT);
    FloatVector c21 = FloatVector.zero(FLOAT);
    FloatVector c30 = FloatVector.zero(FLOAT);
    FloatVector c31 = FloatVector.zero(FLOAT);
    if (add) {
      c00 = FloatVector.fromArray(FLOAT, out, outAt);
      c01 = FloatVector.fromArray(FLOAT, out, outAt + LANES);
      c10 = FloatVector.fromArray(FLOAT, out, outAt + 2 * LANES);
      c11 = FloatVector.fromArray(FLOAT, out, outAt + 3 * LANES);
      c20 = FloatVector.fromArray(FLOAT, out, outAt + 4 * LANES);
      c21 = FloatVector.fromArray(FLOAT, out, outAt + 5 * LANES);
      c30 = FloatVector.fromArray(FLOAT, out, outAt + 6 * LANES);
      c31 = FloatVector.fromArray(FLOAT, out, outAt + 7 * LANES);
    }
    for (int k = 0; k < keys; k++) {
      int b = sAt + k * WIDTH;
      FloatVector b0 = FloatVector.fromArray(FLOAT, s, b);
      FloatVector b1 = FloatVector.fromArray(FLOAT, s, b + LANES);
      FloatVector a = FloatVector.broadcast(FLOAT, values[at + k * stride]);
      c00 = a.fma(b0, c00);
      c01 = a.fma(b1, c01);
      a = FloatVector.broadcast(FLOAT, values[at + k * stride + 1]);
      c10 = a.fma(b0, c10);
      c11 = a.fma(b1, c11);
      a = FloatVector.broadcast(FLOAT, values[at + k * stride + 2]);
      c20 = a.fma(b0, c20);
      c21 = a.fma(b1, c21);
      a = FloatVector.broadcast(FLOAT, values[at + k * stride + 3]);
      c30 = a.fma(b0, c30);
      c31 = a.fma(b1, c31);
    }
    c00.intoArray(out, outAt);
    c01.intoArray(out, outAt + LANES);
    c10.intoArray(out, outAt + 2 * LANES);
    c11.intoArray(out, outAt + 3 * LANES);
    c20.intoArray(out, outAt + 4 * LANES);
    c21.intoArray(out, outAt + 5 * LANES);
    c30.intoArray(out, outAt + 6 * LANES);
    c31.intoArray(out, outAt + 7 * LANES);
  }
}
