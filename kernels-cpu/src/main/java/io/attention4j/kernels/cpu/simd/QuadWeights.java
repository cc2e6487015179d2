package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static jdk.incubator.vector.VectorOperators.GT;

import jdk.incubator.vector.FloatVector;

/**
 * Turns the scores of four rows over a chunk of keys, s [keys][4] in the normaliser's unit, into
 * weights, in place; lane i of a vector belongs to row i % 4. Ends are multiples of twice LANES,
 * filled up with hidden keys.
 */
final class QuadWeights {
  private QuadWeights() {}

  /**
   * Softmax over [from, to), relative to the maximum.
   *
   * @param factor of the weights, but not of their sums
   * @param max maxima of the four rows, from {@code row} on; -inf for a row that sees no key
   * @param sum sums of their weights
   * @param scratch at least LANES floats
   */
  static void softmax(
      float[] s,
      int from,
      int to,
      float factor,
      float[] max,
      float[] sum,
      int row,
      float[] scratch) {
    maxima(s, from, to, scratch);
    for (int r = 0; r < 4; r++) {
      float top = Float.NEGATIVE_INFINITY;
      for (int lane = r; lane < LANES; lane += 4) {
        top = Math.max(top, scratch[lane]);
      }
      max[row + r] = top;
      for (int lane = r; lane < LANES; lane += 4) {
        scratch[lane] = top == Float.NEGATIVE_INFINITY ? 0 : top;
      }
    }
    exponentials(s, from, to, factor, scratch);
    for (int r = 0; r < 4; r++) {
      float total = 0;
      for (int lane = r; lane < LANES; lane += 4) {
        total += scratch[lane];
      }
      sum[row + r] = total;
    }
  }

  /** Two vectors at a time: one chain of comparisons would wait for each of them. */
  private static void maxima(float[] s, int from, int to, float[] top) {
    FloatVector a = FloatVector.broadcast(FLOAT, Float.NEGATIVE_INFINITY);
    FloatVector b = a;
    for (int k = from; k < to; k += 2 * LANES) {
      FloatVector x = FloatVector.fromArray(FLOAT, s, k);
      FloatVector y = FloatVector.fromArray(FLOAT, s, k + LANES);
      // Unlike max, this ignores NaN.
      a = a.blend(x, x.compare(GT, a));
      b = b.blend(y, y.compare(GT, b));
    }
    a.blend(b, b.compare(GT, a)).intoArray(top, 0);
  }

  /** Takes the maxima from scratch and leaves the sums there. */
  private static void exponentials(float[] s, int from, int to, float factor, float[] scratch) {
    FloatVector base = FloatVector.fromArray(FLOAT, scratch, 0);
    FloatVector totalA = FloatVector.zero(FLOAT);
    FloatVector totalB = totalA;
    for (int k = from; k < to; k += 2 * LANES) {
      FloatVector p = Exp2.upTo127(FloatVector.fromArray(FLOAT, s, k).sub(base));
      FloatVector r = Exp2.upTo127(FloatVector.fromArray(FLOAT, s, k + LANES).sub(base));
      totalA = totalA.add(p);
      totalB = totalB.add(r);
      p.mul(factor).intoArray(s, k);
      r.mul(factor).intoArray(s, k + LANES);
    }
    totalA.add(totalB).intoArray(scratch, 0);
  }

  /** factor / (1 + 2^(s + shift)); hidden keys are +inf. */
  static void sigmoid(float[] s, int from, int to, float shift, float factor) {
    for (int k = from; k < to; k += LANES) {
      FloatVector power = Exp2.of(FloatVector.fromArray(FLOAT, s, k).add(shift));
      FloatVector.broadcast(FLOAT, factor).div(power.add(1f)).intoArray(s, k);
    }
  }

  /** Scores are the weights; -inf, as an additive bias hides keys, becomes 0. */
  static void plain(float[] s, int from, int to) {
    for (int k = from; k < to; k += LANES) {
      Exp2.finiteOrZero(FloatVector.fromArray(FLOAT, s, k)).intoArray(s, k);
    }
  }
}
