package io.attention4j.engine.reference;

import io.attention4j.engine.spi.PrefixAttentionKernel;
import io.attention4j.engine.spi.PrefixAttentionSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** The recurrence of Aaren in float64; a state is rounded to F32 between calls only. */
final class ReferencePrefixAttention implements PrefixAttentionKernel {
  @Override
  public Support supports(PrefixAttentionSpec spec) {
    return Support.YES;
  }

  @Override
  public void run(
      PrefixAttentionSpec spec, Tensor scores, Tensor v, int rows, Tensor state, Tensor out) {
    TensorChecks.requirePrefixAttention(spec, scores, v, rows, state, out);
    for (int h = 0; h < spec.heads(); h++) {
      runHead(spec, h, scores.segment(), v.segment(), rows, state.segment(), out.segment());
    }
  }

  private static void runHead(
      PrefixAttentionSpec spec,
      int h,
      MemorySegment scores,
      MemorySegment v,
      int rows,
      MemorySegment state,
      MemorySegment out) {
    int dim = spec.valueDim();
    long stateAt = (long) h * spec.stateSize();
    double[] weighted = new double[dim];
    for (int d = 0; d < dim; d++) {
      weighted[d] = state.getAtIndex(Tensor.FLOAT, stateAt + d);
    }
    double sum = state.getAtIndex(Tensor.FLOAT, stateAt + dim + 1);
    double max =
        sum == 0 ? Double.NEGATIVE_INFINITY : state.getAtIndex(Tensor.FLOAT, stateAt + dim);
    for (int t = 0; t < rows; t++) {
      long token = (long) t * spec.heads() + h;
      double score = scores.getAtIndex(Tensor.FLOAT, token);
      if (score != Double.NEGATIVE_INFINITY) {
        double larger = Math.max(max, score);
        double before = sum == 0 ? 0 : Math.exp(max - larger);
        double now = Math.exp(score - larger);
        for (int d = 0; d < dim; d++) {
          double value = v.getAtIndex(Tensor.FLOAT, token * dim + d);
          weighted[d] = (sum == 0 ? 0 : before * weighted[d]) + now * value;
        }
        sum = before * sum + now;
        max = larger;
      }
      for (int d = 0; d < dim; d++) {
        out.setAtIndex(Tensor.FLOAT, token * dim + d, sum == 0 ? 0 : (float) (weighted[d] / sum));
      }
    }
    for (int d = 0; d < dim; d++) {
      state.setAtIndex(Tensor.FLOAT, stateAt + d, sum == 0 ? 0 : (float) weighted[d]);
    }
    state.setAtIndex(Tensor.FLOAT, stateAt + dim, (float) max);
    state.setAtIndex(Tensor.FLOAT, stateAt + dim + 1, (float) sum);
  }
}
