package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static jdk.incubator.vector.VectorOperators.EQ;
import static jdk.incubator.vector.VectorOperators.GT;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/**
 * Turns a tile of scores s [keys, WIDTH] into weights, in place, column by column: a column of
 * lanes keeps its maximum and sum in registers while it walks down the keys.
 */
final class TileWeights {
  /**
   * A maximum is raised only when it grew by more than this (in base 2): weights then stay below
   * 2^8, and most tiles leave the accumulated output alone. The result is the same quotient.
   */
  private static final float SLACK = 8;

  private static final int WIDTH = QueryLanes.WIDTH;

  private TileWeights() {}

  /**
   * Online softmax in base 2 over keys [from, to).
   *
   * @param max running maximum of each lane from {@code lane} on
   * @param sum running sum of each lane
   * @param out [outRows, WIDTH] from {@code outAt}, rescaled where a maximum rises
   */
  static void softmax(
      float[] s,
      int from,
      int to,
      float[] max,
      float[] sum,
      int lane,
      float[] out,
      int outAt,
      int outRows) {
    for (int v = 0; v < WIDTH; v += LANES) {
      FloatVector top = FloatVector.broadcast(FLOAT, Float.NEGATIVE_INFINITY);
      for (int k = from; k < to; k++) {
        FloatVector x = FloatVector.fromArray(FLOAT, s, k * WIDTH + v);
        top = top.blend(x, x.compare(GT, top));
      }
      FloatVector old = FloatVector.fromArray(FLOAT, max, lane + v);
      FloatVector total = FloatVector.fromArray(FLOAT, sum, lane + v);
      FloatVector base = Exp2.finiteOrZero(old);
      if (top.compare(GT, old.add(SLACK)).anyTrue()) {
        FloatVector raised = old.blend(top, top.compare(GT, old));
        base = Exp2.finiteOrZero(raised);
        FloatVector correction = Exp2.upTo127(old.sub(base));
        total = total.mul(correction);
        raised.intoArray(max, lane + v);
        for (int d = 0; d < outRows; d++) {
          int at = outAt + d * WIDTH + v;
          FloatVector.fromArray(FLOAT, out, at).mul(correction).intoArray(out, at);
        }
      }
      FloatVector added = FloatVector.zero(FLOAT);
      for (int k = from; k < to; k++) {
        FloatVector x = FloatVector.fromArray(FLOAT, s, k * WIDTH + v);
        FloatVector p = Exp2.upTo127(x.sub(base));
        added = added.add(p);
        p.intoArray(s, k * WIDTH + v);
      }
      total.add(added).intoArray(sum, lane + v);
    }
  }

  /** 1 / (1 + 2^(s + shift)) for keys [from, to); hidden keys are +inf. */
  static void sigmoid(float[] s, int from, int to, float shift) {
    for (int v = 0; v < WIDTH; v += LANES) {
      for (int k = from; k < to; k++) {
        int at = k * WIDTH + v;
        FloatVector power = Exp2.of(FloatVector.fromArray(FLOAT, s, at).add(shift));
        FloatVector.broadcast(FLOAT, 1f).div(power.add(1f)).intoArray(s, at);
      }
    }
  }

  /** Scores are the weights; -inf, as an additive bias hides keys, becomes 0. */
  static void plain(float[] s, int from, int to) {
    for (int at = from * WIDTH; at < to * WIDTH; at += LANES) {
      FloatVector x = FloatVector.fromArray(FLOAT, s, at);
      VectorMask<Float> hidden = x.compare(EQ, Float.NEGATIVE_INFINITY);
      x.blend(0f, hidden).intoArray(s, at);
    }
  }
}
