package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.recurrent.PrefixAttentionHeads;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/** Attention of every prefix with vectors along a value. */
final class SimdPrefixAttention extends PrefixAttentionHeads {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;

  SimdPrefixAttention(Parallel workers) {
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
    if (!value.isNative() || !out.isNative()) {
      throw NativeMemory.required();
    }
    FloatVector share = FloatVector.broadcast(FLOAT, before);
    int d = 0;
    for (; d + LANES <= weighted.length; d += LANES) {
      FloatVector added = FloatVector.fromMemorySegment(FLOAT, value, valueAt + 4L * d, LE);
      FloatVector w = FloatVector.fromArray(FLOAT, weighted, d).fma(share, added.mul(now));
      w.intoArray(weighted, d);
      w.mul(inverse).intoMemorySegment(out, outAt + 4L * d, LE);
    }
    for (; d < weighted.length; d++) {
      float w = before * weighted[d] + now * value.get(Tensor.FLOAT, valueAt + 4L * d);
      weighted[d] = w;
      out.set(Tensor.FLOAT, outAt + 4L * d, inverse * w);
    }
  }
}
