package io.attention4j.kernels.opencl;

import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.spi.TopKKernel;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The highest of slices of a row, then the highest of those, until one slice is left, see top_k.cl.
 * Only k keys of eight bytes a row come back.
 */
final class OpenClTopK implements TopKKernel, AutoCloseable {
  private static final ClProgramCache.Source SOURCE = ClProgramCache.Source.of("top_k", "");
  private static final long[] ITEMS_2D = {RowKernels.ITEMS, 1};

  /** Elements that one work group looks at. */
  private static final int SLICE = 1024;

  /** Every pass must leave much less than it found. */
  private static final int MOST = SLICE / 4;

  private final ClContext context;
  private final Arena arena = Arena.ofShared();

  /** Two halves, from one to the other in turn. */
  private ClBuffer keys;

  private MemorySegment host = MemorySegment.NULL;

  OpenClTopK(ClContext context) {
    this.context = context;
  }

  @Override
  public Support supports(Integer k) {
    return k >= 1 && k <= MOST
        ? Support.YES
        : Support.no("k is " + k + "; opencl finds 1 to " + MOST + " elements");
  }

  @Override
  public synchronized void run(Tensor x, int rows, int size, int k, int[] indices, float[] values) {
    TensorChecks.requireTopK(x, rows, size, k, indices, values);
    if (supports(k) instanceof Support.No no) {
      throw new IllegalArgumentException(no.reason());
    }
    if (rows == 0) {
      return;
    }
    int slices = Math.ceilDiv(size, SLICE);
    long half = (long) rows * slices * k;
    grow(half, (long) rows * k);
    context.launch(
        SOURCE,
        "top_of_values",
        new long[] {slices, rows},
        ITEMS_2D,
        size,
        k,
        slices,
        DeviceMemory.of("x", x, context),
        DeviceMemory.floatOffset(x),
        keys,
        0L);
    long at = 0;
    while (slices > 1) {
      int left = slices * k;
      slices = Math.ceilDiv(left, SLICE);
      context.launch(
          SOURCE,
          "top_of_keys",
          new long[] {slices, rows},
          ITEMS_2D,
          left,
          k,
          slices,
          keys,
          at,
          half - at);
      at = half - at;
    }
    MemorySegment found = host.asSlice(0, (long) rows * k * Long.BYTES);
    context.read(keys, at * Long.BYTES, found);
    for (int i = 0; i < rows * k; i++) {
      long key = found.getAtIndex(ValueLayout.JAVA_LONG, i);
      int order = (int) (key >> 32);
      indices[i] = ~(int) key;
      values[i] = Float.intBitsToFloat(order ^ (order >> 31 & Integer.MAX_VALUE));
    }
  }

  private void grow(long half, long results) {
    if (keys == null || keys.byteSize() < 2 * half * Long.BYTES) {
      if (keys != null) {
        keys.close();
        keys = null;
      }
      keys = context.allocate(Long.highestOneBit(2 * half * Long.BYTES - 1) * 2);
    }
    if (host.byteSize() < results * Long.BYTES) {
      host = arena.allocate(Long.highestOneBit(results) * 2 * Long.BYTES, Long.BYTES);
    }
  }

  @Override
  public void close() {
    if (keys != null) {
      keys.close();
    }
    arena.close();
  }
}
