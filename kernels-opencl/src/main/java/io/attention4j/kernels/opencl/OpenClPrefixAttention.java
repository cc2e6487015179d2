package io.attention4j.kernels.opencl;

import io.attention4j.engine.spi.PrefixAttentionKernel;
import io.attention4j.engine.spi.PrefixAttentionSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;

/** A scan of states by chunks, one launch for up to a chunk and three for more, see prefix.cl. */
final class OpenClPrefixAttention implements PrefixAttentionKernel {
  private static final ClProgramCache.Source SOURCE = ClProgramCache.Source.of("prefix", "");
  private static final long[] ITEMS_2D = {RowKernels.ITEMS, 1};

  private final ClContext context;

  OpenClPrefixAttention(ClContext context) {
    this.context = context;
  }

  @Override
  public Support supports(PrefixAttentionSpec spec) {
    return Support.YES;
  }

  @Override
  public void run(
      PrefixAttentionSpec spec, Tensor scores, Tensor v, int rows, Tensor state, Tensor out) {
    TensorChecks.requirePrefixAttention(spec, scores, v, rows, state, out);
    if (rows == 0) {
      return;
    }
    // No other kernel may use the scratch between the launches.
    synchronized (context) {
      launch(spec, scores, v, rows, state, out);
    }
  }

  private void launch(
      PrefixAttentionSpec spec, Tensor scores, Tensor v, int rows, Tensor state, Tensor out) {
    int chunks = Math.ceilDiv(rows, RowKernels.ITEMS);
    long[] groups = {chunks, spec.heads()};
    ClBuffer states = DeviceMemory.of("state", state, context);
    long stateAt = DeviceMemory.floatOffset(state);
    boolean one = chunks == 1;
    ClBuffer carries = states;
    if (!one) {
      // The state of each (chunk, head).
      carries = context.scratch((long) chunks * spec.heads() * spec.stateSize() * Float.BYTES);
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
        carries,
        one ? stateAt : 0L,
        one ? 1 : 0,
        DeviceMemory.of("out", out, context),
        DeviceMemory.floatOffset(out));
  }
}
