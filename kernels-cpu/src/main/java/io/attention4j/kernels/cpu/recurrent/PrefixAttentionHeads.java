package io.attention4j.kernels.cpu.recurrent;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.PrefixAttentionKernel;
import io.attention4j.engine.spi.PrefixAttentionSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.rows.HostMemory;
import io.attention4j.kernels.cpu.rows.RowPieces;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** Attention of every prefix head by head, token by token: one pass over a value and its output. */
public abstract class PrefixAttentionHeads extends RowPieces implements PrefixAttentionKernel {
  private final float[][] scratch;
  private PrefixAttentionSpec spec;
  private int tokens;
  private Tensor scores;
  private Tensor values;
  private Tensor state;
  private Tensor out;

  /** Runs on these workers. */
  protected PrefixAttentionHeads(Parallel workers) {
    super(workers);
    scratch = new float[threads()][0];
  }

  @Override
  public final Support supports(PrefixAttentionSpec wanted) {
    return Support.YES;
  }

  @Override
  public final synchronized void run(
      PrefixAttentionSpec wanted, Tensor s, Tensor v, int rows, Tensor states, Tensor result) {
    TensorChecks.requirePrefixAttention(wanted, s, v, rows, states, result);
    spec = wanted;
    tokens = rows;
    scores = s;
    values = v;
    state = states;
    out = result;
    sweep(spec.heads(), (long) rows * spec.valueDim(), 1);
    scores = null;
    values = null;
    state = null;
    out = null;
  }

  @Override
  protected final void range(long from, long to, int worker) {
    if (scratch[worker].length != spec.valueDim()) {
      scratch[worker] = new float[spec.valueDim()];
    }
    for (int h = (int) from; h < to; h++) {
      head(h, scratch[worker]);
    }
  }

  private void head(int h, float[] weighted) {
    int dim = weighted.length;
    MemorySegment states = HostMemory.of(state);
    long at = state.byteOffset() + 4L * h * spec.stateSize();
    double sum = states.get(Tensor.FLOAT, at + 4L * (dim + 1));
    float max = sum == 0 ? Float.NEGATIVE_INFINITY : states.get(Tensor.FLOAT, at + 4L * dim);
    if (sum == 0) {
      Arrays.fill(weighted, 0);
    } else {
      MemorySegment.copy(states, Tensor.FLOAT, at, weighted, 0, dim);
    }
    for (int t = 0; t < tokens; t++) {
      long token = (long) t * spec.heads() + h;
      float score = HostMemory.of(scores).get(Tensor.FLOAT, scores.byteOffset() + 4 * token);
      long to = out.byteOffset() + 4 * token * dim;
      if (score == Float.NEGATIVE_INFINITY) {
        // Its value counts not even where it is no number.
        emit(weighted, sum == 0 ? 0 : (float) (1 / sum), HostMemory.of(out), to);
        continue;
      }
      float larger = Math.max(max, score);
      double before = sum == 0 ? 0 : Math.exp((double) max - larger);
      double now = Math.exp((double) score - larger);
      sum = before * sum + now;
      max = larger;
      long value = values.byteOffset() + 4 * token * dim;
      fold(
          weighted,
          (float) before,
          (float) now,
          HostMemory.of(values),
          value,
          (float) (1 / sum),
          HostMemory.of(out),
          to);
    }
    MemorySegment.copy(weighted, 0, states, Tensor.FLOAT, at, dim);
    states.set(Tensor.FLOAT, at + 4L * dim, max);
    states.set(Tensor.FLOAT, at + 4L * (dim + 1), (float) sum);
  }

  /** weighted = before weighted + now value, out = inverse weighted. */
  protected abstract void fold(
      float[] weighted,
      float before,
      float now,
      MemorySegment value,
      long valueAt,
      float inverse,
      MemorySegment out,
      long outAt);

  /** out = inverse weighted. */
  private static void emit(float[] weighted, float inverse, MemorySegment out, long outAt) {
    for (int d = 0; d < weighted.length; d++) {
      out.set(Tensor.FLOAT, outAt + 4L * d, inverse * weighted[d]);
    }
  }
}
