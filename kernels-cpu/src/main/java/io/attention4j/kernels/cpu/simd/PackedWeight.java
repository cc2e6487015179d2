package io.attention4j.kernels.cpu.simd;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.MatmulSpec;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.memory.HugePages;
import io.attention4j.kernels.cpu.rows.HostMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/** A weight in the layout of {@link RowGroups}. */
record PackedWeight(RowGroups layout, MemorySegment memory, long groupBytes) {
  /** Below this a huge page would be wasted, and the matrix is not what bounds decoding. */
  private static final long MIN_HUGE_BYTES = 2 * HugePages.PAGE_BYTES;

  /** Bytes of the packed form of a weight, 0 where there is none. */
  static long bytes(MatmulSpec spec) {
    RowGroups layout = RowGroups.of(spec.weight());
    if (layout == null) {
      return 0;
    }
    long groups = Math.ceilDiv(spec.outFeatures(), (long) RowGroups.ROWS);
    return Math.multiplyExact(groups, layout.groupBytes(Math.toIntExact(spec.inFeatures())));
  }

  /** Packs a weight, or returns null if its type or its values ask for the stored form. */
  static PackedWeight of(Tensor weight, Arena arena, Parallel workers) {
    RowGroups layout = RowGroups.of(weight.dtype());
    if (layout == null || weight.shape().elements() == 0) {
      return null;
    }
    int in = Math.toIntExact(weight.extent(1));
    layout.warmUp(in);
    int groups = Math.toIntExact(Math.ceilDiv(weight.extent(0), (long) RowGroups.ROWS));
    long groupBytes = layout.groupBytes(in);
    long bytes = Math.multiplyExact(groups, groupBytes);
    MemorySegment memory =
        bytes < MIN_HUGE_BYTES
            ? arena.allocate(bytes, Tensor.ALIGNMENT_BYTES)
            : HugePages.allocate(arena, bytes);
    MemorySegment source = HostMemory.of(weight);
    long rowBytes = weight.dtype().bytes(weight.stride(0));
    AtomicBoolean refused = new AtomicBoolean();
    workers.run(
        groups,
        (group, worker) -> {
          long row = (long) group * RowGroups.ROWS;
          int rows = (int) Math.min(RowGroups.ROWS, weight.extent(0) - row);
          long from = weight.byteOffset() + row * rowBytes;
          if (!layout.pack(source, from, rowBytes, rows, in, memory, group * groupBytes)) {
            refused.set(true);
          }
        });
    return refused.get() ? null : new PackedWeight(layout, memory, groupBytes);
  }
}
