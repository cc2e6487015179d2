package io.attention4j.engine.attention;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * The associative rule by which softmax attention over disjoint key sets combines (Milakov and
 * Gimelshein 2018, arXiv 1805.02867; Rabe and Staats 2021). The state of a row is (out, lse); the
 * empty state is (0, -inf) and is neutral. The rule itself is {@link SoftmaxState#combine}.
 */
public final class OnlineSoftmax {
  /** States of a piece of work. */
  private static final int PIECE = 1024;

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
   * Two empty states stay empty, never NaN. The tensors of a and b must not overlap. Allocates a
   * few rows per piece of work; safe on disjoint rows.
   *
   * @param workers share the rows
   * @throws IllegalArgumentException if shapes differ; names both
   */
  public static void merge(Tensor outA, Tensor lseA, Tensor outB, Tensor lseB, Parallel workers) {
    requireState(outA, lseA);
    requireState(outB, lseB);
    if (!outA.shape().equals(outB.shape())) {
      throw new IllegalArgumentException(
          "cannot merge states of shapes " + outA.shape() + " and " + outB.shape());
    }
    long states = lseA.shape().elements();
    workers.run(
        Math.toIntExact(Math.ceilDiv(states, PIECE)),
        (piece, _) -> {
          long from = (long) piece * PIECE;
          merge(outA, lseA, outB, lseB, from, Math.min(states, from + PIECE));
        });
  }

  /** Merges on the caller. */
  public static void merge(Tensor outA, Tensor lseA, Tensor outB, Tensor lseB) {
    merge(outA, lseA, outB, lseB, Parallel.single());
  }

  private static void merge(
      Tensor outA, Tensor lseA, Tensor outB, Tensor lseB, long from, long to) {
    SoftmaxState a = new SoftmaxState(Math.toIntExact(outA.extent(-1)));
    SoftmaxState b = new SoftmaxState(a.valueDim());
    double[] row = new double[a.valueDim()];
    for (long i = from; i < to; i++) {
      if (lseB.segment().getAtIndex(Tensor.FLOAT, i) == Float.NEGATIVE_INFINITY) {
        continue;
      }
      load(a, outA, lseA, i, row);
      load(b, outB, lseB, i, row);
      store(a.combine(b), outA, lseA, i);
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
    SoftmaxState state = new SoftmaxState(valueDim);
    SoftmaxState sink = new SoftmaxState(valueDim);
    double[] row = new double[valueDim];
    double[] zeros = new double[valueDim];
    for (long i = 0; i < lse.shape().elements(); i++) {
      load(state, out, lse, i, row);
      store(state.combine(sink.set(sinks[(int) (i % heads)], zeros, 0)), out, lse, i);
    }
  }

  /** (out, lse) as the state (lse, 1, out). */
  private static void load(SoftmaxState state, Tensor out, Tensor lse, long i, double[] row) {
    MemorySegment o = out.segment();
    for (int d = 0; d < row.length; d++) {
      row[d] = o.getAtIndex(Tensor.FLOAT, i * row.length + d);
    }
    state.set(lse.segment().getAtIndex(Tensor.FLOAT, i), row, 0);
  }

  private static void store(SoftmaxState state, Tensor out, Tensor lse, long i) {
    MemorySegment o = out.segment();
    for (int d = 0; d < state.valueDim(); d++) {
      o.setAtIndex(Tensor.FLOAT, i * state.valueDim() + d, (float) state.output(d));
    }
    lse.segment().setAtIndex(Tensor.FLOAT, i, (float) state.lse());
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
