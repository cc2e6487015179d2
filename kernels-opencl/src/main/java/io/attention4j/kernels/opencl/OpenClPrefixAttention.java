package io.attention4j.kernels.opencl;

import io.attention4j.engine.spi.PrefixAttentionKernel;
import io.attention4j.engine.spi.PrefixAttentionSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;

/** A scan of states by chunks, one launch for up to a chunk and three for more, see prefix.cl. */
final class OpenClPrefixAttention implements PrefixAttentionKernel, AutoCloseable {
  private static final ClProgramCache.Source SOURCE = ClProgramCache.Source.of("prefix", "");
  private static final long[] ITEMS_2D = {RowKernels.ITEMS, 1};

  private final ClContext context;

  /** The state of each (chunk, head). */
  private ClBuffer carries;

  OpenClPrefixAttention(ClContext context) {
    this.context = context;
  }

  @Override
  public Support supports(PrefixAttentionSpec spec) {
    return Support.YES;
  }

  @Override
  public synchronized void run(
      PrefixAttentionSpec spec, Tensor scores, Tensor v, int rows, Tensor state, Tensor out) {
    TensorChecks.requirePrefixAttention(spec, scores, v, rows, state, out);
    if (rows == 0) {
      return;
    }
    int chunks = Math.ceilDiv(rows, RowKernels.ITEMS);
    long[] groups = {chunks, spec.heads()};
    ClBuffer states = DeviceMemory.of("state", state, context);
    long stateAt = DeviceMemory.floatOffset(state);
    boolean one = chunks == 1;
    if (!one) {
      grow((long) chunks * spec.heads() * spec.stateSize() * Float.BYTES);
      context.launch(
          SOURCE,
          "fold",
          groups,
          ITEMS_2D,
          rows,
          spec.heads(),
          spec.valueDim(),
          DeviceMemory.of("scores", scores, context),
          DeviceMemory.floatOffset(scores),
          DeviceMemory.of("v", v, context),
          DeviceMemory.floatOffset(v),
          carries);
      context.launch(
          SOURCE,
          "carry",
          new long[] {spec.heads()},
          RowKernels.GROUP,
          chunks,
          spec.heads(),
          spec.valueDim(),
          carries,
          states,
          stateAt);
    }
    context.launch(
        SOURCE,
        "prefixes",
        groups,
        ITEMS_2D,
        rows,
        spec.heads(),
        spec.valueDim(),
        DeviceMemory.of("scores", scores, context),
        DeviceMemory.floatOffset(scores),
        DeviceMemory.of("v", v, context),
        DeviceMemory.floatOffset(v),
        one ? states : carries,
        one ? stateAt : 0L,
        one ? 1 : 0,
        DeviceMemory.of("out", out, context),
        DeviceMemory.floatOffset(out));
  }

  private void grow(long bytes) {
    if (carries == null || carries.byteSize() < bytes) {
      close();
      carries = context.allocate(Long.highestOneBit(2 * bytes - 1));
    }
  }

  @Override
  public void close() {
    if (carries != null) {
      carries.close();
      carries = null;
    }
  }
}
