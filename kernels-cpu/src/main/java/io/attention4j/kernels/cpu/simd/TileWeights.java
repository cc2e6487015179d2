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
   * Online softmax in base 2 over keys [from, to). Small methods, because C2 stops inlining vector
   * operations when a method has grown to some hundreds of them.
   *
   * @param top scratch memory, as long as max
   * @param max running maximum of each lane from {@code lane} on
   * @param sum running sum of each lane
   * @param out [outRows, WIDTH] from {@code outAt}, rescaled where a maximum rises
   */
  static void softmax(
      float[] s,
      int from,
      int to,
      float[] top,
      float[] max,
      float[] sum,
      int lane,
      float[] out,
      int outAt,
      int outRows) {
    maxima(s, from, to, top, lane);
    for (int v = 0; v < WIDTH; v += LANES) {
      raise(top, max, sum, lane + v, out, outAt + v, outRows);
    }
    exponentials(s, from, to, max, sum, lane);
  }

  private static void maxima(float[] s, int from, int to, float[] top, int lane) {
    for (int v = 0; v < WIDTH; v += 2 * LANES) {
      FloatVector topA = FloatVector.broadcast(FLOAT, Float.NEGATIVE_INFINITY);
      FloatVector topB = topA;
      for (int k = from; k < to; k++) {
        int at = k * WIDTH + v;
        FloatVector a = FloatVector.fromArray(FLOAT, s, at);
        FloatVector b = FloatVector.fromArray(FLOAT, s, at + LANES);
        topA = topA.blend(a, a.compare(GT, topA));
        topB = topB.blend(b, b.compare(GT, topB));
      }
      topA.intoArray(top, lane + v);
      topB.intoArray(top, lane + v + LANES);
    }
  }

  private static void raise(
      float[] top, float[] max, float[] sum, int lane, float[] out, int outAt, int outRows) {
    FloatVector old = FloatVector.fromArray(FLOAT, max, lane);
    FloatVector now = FloatVector.fromArray(FLOAT, top, lane);
    if (!now.compare(GT, old.add(SLACK)).anyTrue()) {
      return;
    }
    correct(top, max, sum, lane);
    FloatVector correction = FloatVector.fromArray(FLOAT, top, lane);
    for (int d = 0; d < outRows; d++) {
      int at = outAt + d * WIDTH;
      FloatVector.fromArray(FLOAT, out, at).mul(correction).intoArray(out, at);
    }
  }

  /**
   * Raises maxima to top, rescales sums and leaves the factor in top. On its own because C2 would
   * not inline the exponential into the rarely taken branch of {@link #raise}, and box its vectors.
   */
  private static void correct(float[] top, float[] max, float[] sum, int lane) {
    FloatVector old = FloatVector.fromArray(FLOAT, max, lane);
    FloatVector now = FloatVector.fromArray(FLOAT, top, lane);
    FloatVector raised = old.blend(now, now.compare(GT, old));
    FloatVector correction = Exp2.upTo127(old.sub(Exp2.finiteOrZero(raised)));
    raised.intoArray(max, lane);
    FloatVector.fromArray(FLOAT, sum, lane).mul(correction).intoArray(sum, lane);
    correction.intoArray(top, lane);
  }

  private static void exponentials(
      float[] s, int from, int to, float[] max, float[] sum, int lane) {
    for (int v = 0; v < WIDTH; v += 2 * LANES) {
      FloatVector baseA = Exp2.finiteOrZero(FloatVector.fromArray(FLOAT, max, lane + v));
      FloatVector baseB = Exp2.finiteOrZero(FloatVector.fromArray(FLOAT, max, lane + v + LANES));
      FloatVector sumA = FloatVector.zero(FLOAT);
      FloatVector sumB = sumA;
      for (int k = from; k < to; k++) {
        int at = k * WIDTH + v;
        FloatVector a = FloatVector.fromArray(FLOAT, s, at).sub(baseA);
        FloatVector b = FloatVector.fromArray(FLOAT, s, at + LANES).sub(baseB);
        a = Exp2.upTo127(a);
        b = Exp2.upTo127(b);
        sumA = sumA.add(a);
        sumB = sumB.add(b);
        a.intoArray(s, at);
        b.intoArray(s, at + LANES);
      }
      sumA.add(FloatVector.fromArray(FLOAT, sum, lane + v)).intoArray(sum, lane + v);
      sumB.add(FloatVector.fromArray(FLOAT, sum, lane + v + LANES))
          .intoArray(sum, lane + v + LANES);
    }
  }

  /** 1 / (1 + 2^(s + shift)) for keys [from, to); hidden keys are +inf. */
  static void sigmoid(float[] s, int from, int to, float shift) {
    for (int at = from * WIDTH; at < to * WIDTH; at += LANES) {
      FloatVector power = Exp2.of(FloatVector.fromArray(FLOAT, s, at).add(shift));
      FloatVector.broadcast(FLOAT, 1f).div(power.add(1f)).intoArray(s, at);
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
