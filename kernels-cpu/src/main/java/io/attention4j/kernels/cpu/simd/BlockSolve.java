package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import jdk.incubator.vector.FloatVector;

/**
 * Forward substitution inside a block of tokens: what each recalls of those before it, row by row,
 * four vectors of columns at a time.
 *
 * <pre>
 * x_i = z_i + sum of weights[i, j] x_j over j &lt; i                    (without u)
 * u_i = beta_i (u_i + z_i + sum of weights[i, j] u_j over j &lt; i)     (with u, the delta rule)
 * </pre>
 */
final class BlockSolve {
  private BlockSolve() {}

  /**
   * Solves rows [b, b + count), in place.
   *
   * @param weights [tokens, weightsRow], strictly lower triangular inside the block
   * @param z [tokens, width]; becomes x where u is null
   * @param u [tokens, width], or null
   * @param width a multiple of the lanes
   */
  static void run(
      float[] weights,
      int weightsRow,
      float[] z,
      float[] u,
      float[] beta,
      int b,
      int count,
      int width) {
    float[] solved = u == null ? z : u;
    int wide = width / (4 * LANES) * (4 * LANES);
    for (int i = b; i < b + count; i++) {
      for (int c = 0; c < wide; c += 4 * LANES) {
        wide(weights, i * weightsRow, solved, z, i, b, c, width);
      }
      for (int c = wide; c < width; c += LANES) {
        narrow(weights, i * weightsRow, solved, z, i, b, c, width);
      }
      if (u != null) {
        for (int c = 0; c < width; c += LANES) {
          int at = i * width + c;
          FloatVector.fromArray(FLOAT, u, at)
              .add(FloatVector.fromArray(FLOAT, z, at))
              .mul(beta[i])
              .intoArray(u, at);
        }
      }
    }
  }

  private static void wide(
      float[] weights, int row, float[] solved, float[] z, int i, int b, int c, int width) {
    int at = i * width + c;
    FloatVector z0 = FloatVector.fromArray(FLOAT, z, at);
    FloatVector z1 = FloatVector.fromArray(FLOAT, z, at + LANES);
    FloatVector z2 = FloatVector.fromArray(FLOAT, z, at + 2 * LANES);
    FloatVector z3 = FloatVector.fromArray(FLOAT, z, at + 3 * LANES);
    for (int j = b; j < i; j++) {
      FloatVector weight = FloatVector.broadcast(FLOAT, weights[row + j]);
      int from = j * width + c;
      z0 = FloatVector.fromArray(FLOAT, solved, from).fma(weight, z0);
      z1 = FloatVector.fromArray(FLOAT, solved, from + LANES).fma(weight, z1);
      z2 = FloatVector.fromArray(FLOAT, solved, from + 2 * LANES).fma(weight, z2);
      z3 = FloatVector.fromArray(FLOAT, solved, from + 3 * LANES).fma(weight, z3);
    }
    z0.intoArray(z, at);
    z1.intoArray(z, at + LANES);
    z2.intoArray(z, at + 2 * LANES);
    z3.intoArray(z, at + 3 * LANES);
  }

  private static void narrow(
      float[] weights, int row, float[] solved, float[] z, int i, int b, int c, int width) {
    int at = i * width + c;
    FloatVector sum = FloatVector.fromArray(FLOAT, z, at);
    for (int j = b; j < i; j++) {
      sum =
          FloatVector.fromArray(FLOAT, solved, j * width + c)
              .fma(FloatVector.broadcast(FLOAT, weights[row + j]), sum);
    }
    sum.intoArray(z, at);
  }
}
