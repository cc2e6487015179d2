package io.attention4j.kernels.opencl;

import io.attention4j.engine.spi.RopeKernel;
import io.attention4j.engine.spi.RopeSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;

/** One item per pair, see rows.cl. */
final class OpenClRope implements RopeKernel {
  private static final long[] ONE_ITEM = {1, 1, 1};

  private final ClContext context;

  OpenClRope(ClContext context) {
    this.context = context;
  }

  @Override
  public Support supports(RopeSpec spec) {
    return Support.YES;
  }

  @Override
  public void run(RopeSpec spec, Tensor x, int rows, Tensor cos, Tensor sin) {
    int pairs = spec.rotaryDim() / 2;
    TensorChecks.requireHeads("x", x, rows, spec.headDim());
    TensorChecks.requireRows("cos", cos, rows, pairs);
    TensorChecks.requireRows("sin", sin, rows, pairs);
    if (pairs == 0) {
      return;
    }
    int heads = (int) x.extent(1);
    boolean oneGroup = pairs <= RowKernels.ITEMS;
    context.launch(
        RowKernels.SOURCE,
        "rope",
        new long[] {oneGroup ? 1 : pairs, heads, rows},
        oneGroup ? new long[] {pairs, 1, 1} : ONE_ITEM,
        spec.layout() == RopeSpec.Layout.HALF_SPLIT ? 1 : 0,
        heads,
        spec.headDim(),
        pairs,
        DeviceMemory.of("x", x, context),
        DeviceMemory.floatOffset(x),
        DeviceMemory.of("cos", cos, context),
        DeviceMemory.floatOffset(cos),
        DeviceMemory.of("sin", sin, context),
        DeviceMemory.floatOffset(sin));
  }
}
