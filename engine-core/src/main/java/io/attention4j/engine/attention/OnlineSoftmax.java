package io.attention4j.engine.attention;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * The associative rule by which softmax attention over disjoint key sets combines (Milakov and
 * Gimelshein 2018, arXiv 1805.02867; Rabe and Staats 2021). The state of a row is (out, lse); the
 * empty state is (0, -inf) and is neutral.
 */
public final class OnlineSoftmax {
  private OnlineSoftmax() {}

  /** ln(e^a + e^b) without overflow; -inf is neutral. */
  public static double logAddExp(double a, double b) {
    double max = Math.max(a, b);
    if (max == Double.NEGATIVE_INFINITY) {
      return max;
    }
    return max + Math.log1p(Math.exp(Math.min(a, b) - max));
  }

  /**
   * Merges attention over two disjoint key ranges, in place into a.
   *
   * <p>Shapes: out [rows, queryHeads, valueDim] f32, lse [rows, queryHeads] f32, all contiguous.
   * Two empty states stay empty, never NaN. The tensors of a and b must not overlap. Allocates
   * nothing but views; safe on disjoint rows.
   *
   * @throws IllegalArgumentException if shapes differ; names both
   */
  public static void merge(Tensor outA, Tensor lseA, Tensor outB, Tensor lseB) {
    requireState(outA, lseA);
    requireState(outB, lseB);
    if (!outA.shape().equals(outB.shape())) {
      throw new IllegalArgumentException(
          "cannot merge states of shapes " + outA.shape() + " and " + outB.shape());
    }
    int valueDim = Math.toIntExact(outA.extent(-1));
    long states = lseA.shape().elements();
    MemorySegment oa = outA.segment();
    MemorySegment ob = outB.segment();
    MemorySegment la = lseA.segment();
    MemorySegment lb = lseB.segment();
    for (long i = 0; i < states; i++) {
      double a = la.get(Tensor.FLOAT, i * Float.BYTES);
      double b = lb.get(Tensor.FLOAT, i * Float.BYTES);
      double total = logAddExp(a, b);
      if (total == Double.NEGATIVE_INFINITY) {
        continue;
      }
      double weightA = Math.exp(a - total);
      double weightB = Math.exp(b - total);
      for (int d = 0; d < valueDim; d++) {
        long at = (i * valueDim + d) * Float.BYTES;
        double sum = weightA * oa.get(Tensor.FLOAT, at) + weightB * ob.get(Tensor.FLOAT, at);
        oa.set(Tensor.FLOAT, at, (float) sum);
      }
      la.set(Tensor.FLOAT, i * Float.BYTES, (float) total);
    }
  }

  /**
   * Adds one sink logit per query head to a merged state: an extra key with value 0.
   *
   * @param sinks one logit per query head; lse is [rows, queryHeads]
   */
  public static void addSink(Tensor out, Tensor lse, float[] sinks) {
    requireState(out, lse);
    int valueDim = Math.toIntExact(out.extent(-1));
    int heads = Math.toIntExact(lse.extent(-1));
    if (sinks.length != heads) {
      throw new IllegalArgumentException(sinks.length + " sinks for " + heads + " query heads");
    }
    MemorySegment o = out.segment();
    MemorySegment l = lse.segment();
    for (long i = 0; i < lse.shape().elements(); i++) {
      double before = l.get(Tensor.FLOAT, i * Float.BYTES);
      double total = logAddExp(before, sinks[(int) (i % heads)]);
      double weight = total == Double.NEGATIVE_INFINITY ? 0 : Math.exp(before - total);
      for (int d = 0; d < valueDim; d++) {
        long at = (i * valueDim + d) * Float.BYTES;
        o.set(Tensor.FLOAT, at, (float) (weight * o.get(Tensor.FLOAT, at)));
      }
      l.set(Tensor.FLOAT, i * Float.BYTES, (float) total);
    }
  }

  private static void requireState(Tensor out, Tensor lse) {
    boolean fits =
        out.dtype() == DType.F32
            && lse.dtype() == DType.F32
            && out.isContiguous()
            && lse.isContiguous()
            && out.shape().elements() == lse.shape().elements() * out.extent(-1);
    if (!fits) {
      throw new IllegalArgumentException(
          "a state needs contiguous F32 out [rows, heads, valueDim] and lse [rows, heads], not "
              + out
              + " and "
              + lse);
    }
  }
}
