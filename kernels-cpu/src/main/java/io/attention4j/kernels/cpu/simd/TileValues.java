package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static jdk.incubator.vector.VectorOperators.NE;

import jdk.incubator.vector.FloatVector;

/**
 * Weighted sums of values that are not all finite: a weight of zero hides its value, whatever that
 * holds, where the register tiles would multiply them to NaN. Slow, and rarely needed.
 */
final class TileValues {
  private static final int WIDTH = QueryLanes.WIDTH;

  private TileValues() {}

  /**
   * out[d][lane] (+)= sum_k values[k][d] * s[k][lane] over keys [from, to) with s[k][lane] != 0.
   *
   * @param values [keys, dim]
   * @param s [., WIDTH], weights of key 0 at 0
   * @param out [dim, WIDTH] from {@code outAt}
   * @param add whether to add to out or to overwrite it
   */
  static void add(
      float[] values, int dim, int from, int to, float[] s, float[] out, int outAt, boolean add) {
    for (int d = 0; d < dim; d++) {
      for (int v = 0; v < WIDTH; v += LANES) {
        int at = outAt + d * WIDTH + v;
        FloatVector c = FloatVector.zero(FLOAT);
        if (add) {
          c = FloatVector.fromArray(FLOAT, out, at);
        }
        for (int k = from; k < to; k++) {
          FloatVector weight = FloatVector.fromArray(FLOAT, s, k * WIDTH + v);
          FloatVector x = FloatVector.broadcast(FLOAT, values[k * dim + d]);
          c = c.blend(weight.fma(x, c), weight.compare(NE, 0f));
        }
        c.intoArray(out, at);
      }
    }
  }
}
