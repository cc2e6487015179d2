package io.attention4j.kernels.cpu.simd;

import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.OnlineSoftmax;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.attention.PageFormat;
import java.lang.foreign.MemorySegment;

/** Ends a row: the divisor of its weighted values and its lse, with the sink of its head. */
final class RowResult {
  /** Natural units of a maximum of powers of two. */
  static final double LN_2 = Math.log(2);

  private final boolean softmax;
  private final float[] sinks;
  private final int queryHeads;
  private final int valueDim;

  RowResult(AttentionSpec spec) {
    softmax = spec.normalizer() instanceof Normalizer.Softmax;
    queryHeads = spec.queryHeads();
    valueDim = spec.valueDim();
    sinks = new float[spec.sinks().size()];
    for (int h = 0; h < sinks.length; h++) {
      sinks[h] = spec.sinks().get(h);
    }
  }

  /** Natural log of the sum of weights relative to a base-2 maximum, without the sink. */
  private static double lse(float max, float sum) {
    return sum == 0 ? Double.NEGATIVE_INFINITY : max * LN_2 + Math.log(sum);
  }

  /**
   * Writes one row: valueDim floats of {@code values} from {@code from} on, which are normalised in
   * place.
   *
   * @param row of out, over the batch
   * @param empty whether the row met no key; what values hold does not matter then
   */
  void write(
      AttentionOutputs outputs,
      long row,
      int head,
      boolean empty,
      float max,
      float sum,
      float[] values,
      int from) {
    double lse = empty ? Double.NEGATIVE_INFINITY : lse(max, sum);
    double total = softmax && sinks.length > 0 ? OnlineSoftmax.logAddExp(lse, sinks[head]) : lse;
    // NaN sums are no empty rows: they must reach the result.
    boolean zero = empty || softmax && lse == Double.NEGATIVE_INFINITY;
    float factor = 1;
    if (softmax && !zero) {
      factor = (float) (Math.exp(lse - total) / sum);
    }
    Tensor out = outputs.out();
    MemorySegment memory = PageFormat.host(out.storage());
    long element = row * out.stride(0) + head * out.stride(1);
    long at = out.byteOffset() + element * Float.BYTES;
    for (int d = 0; d < valueDim; d++) {
      values[from + d] = zero ? 0 : values[from + d] * factor;
    }
    MemorySegment.copy(values, from, memory, Tensor.FLOAT, at, valueDim);
    Tensor lseOut = outputs.lse();
    if (lseOut != null) {
      long index = row * queryHeads + head;
      PageFormat.host(lseOut.storage())
          .set(Tensor.FLOAT, lseOut.byteOffset() + index * Float.BYTES, (float) total);
    }
  }
}
