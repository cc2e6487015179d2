package io.attention4j.kernels.cpu.scalar;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.recurrent.PrefixAttentionHeads;
import java.lang.foreign.MemorySegment;

/** Attention of every prefix in plain loops. */
final class ScalarPrefixAttention extends PrefixAttentionHeads {
  ScalarPrefixAttention(Parallel workers) {
    super(workers);
  }

  @Override
  protected void fold(
      float[] weighted,
      float before,
      float now,
      MemorySegment value,
      long valueAt,
      float inverse,
      MemorySegment out,
      long outAt) {
    for (int d = 0; d < weighted.length; d++) {
      float w = before * weighted[d] + now * value.get(Tensor.FLOAT, valueAt + 4L * d);
      weighted[d] = w;
      out.set(Tensor.FLOAT, outAt + 4L * d, inverse * w);
    }
  }
}
