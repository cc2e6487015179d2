package io.attention4j.kernels.opencl;

import io.attention4j.engine.spi.CausalConvKernel;
import io.attention4j.engine.spi.CausalConvSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;

/** One item per output, see conv.cl. */
final class OpenClCausalConv implements CausalConvKernel {
  private static final ClProgramCache.Source SOURCE = ClProgramCache.Source.of("conv", "");
  private static final long[] ONE_ITEM = {1};
  private static final long[] ONE_ITEM_2D = {1, 1};

  private final ClContext context;

  OpenClCausalConv(ClContext context) {
    this.context = context;
  }

  @Override
  public Support supports(CausalConvSpec spec) {
    return Support.YES;
  }

  @Override
  public void run(
      CausalConvSpec spec,
      Tensor x,
      int firstRow,
      int rows,
      Tensor weight,
      Tensor bias,
      Tensor state,
      Tensor out) {
    TensorChecks.requireCausalConv(spec, x, firstRow, rows, weight, bias, state, out);
    ClBuffer in = DeviceMemory.of("x", x, context);
    ClBuffer before = spec.kernelSize() == 1 ? in : DeviceMemory.of("state", state, context);
    long beforeAt = spec.kernelSize() == 1 ? 0 : DeviceMemory.floatOffset(state);
    // Neighbouring items take neighbouring channels.
    long items = spec.channels() % RowKernels.ITEMS == 0 ? RowKernels.ITEMS : 1;
    context.launch(
        SOURCE,
        "convolve",
        new long[] {spec.channels() / items, rows},
        items == 1 ? ONE_ITEM_2D : new long[] {items, 1},
        spec.channels(),
        spec.kernelSize(),
        in,
        DeviceMemory.rowOffset(x, firstRow),
        DeviceMemory.of("weight", weight, context),
        DeviceMemory.floatOffset(weight),
        bias == null ? in : DeviceMemory.of("bias", bias, context),
        bias == null ? 0L : DeviceMemory.floatOffset(bias),
        bias == null ? 0 : 1,
        before,
        beforeAt,
        DeviceMemory.of("out", out, context),
        DeviceMemory.rowOffset(out, firstRow));
    if (spec.kernelSize() > 1 && rows > 0) {
      context.launch(
          SOURCE,
          "keep",
          new long[] {spec.channels() / items},
          items == 1 ? ONE_ITEM : RowKernels.GROUP,
          spec.channels(),
          spec.kernelSize(),
          rows,
          in,
          DeviceMemory.rowOffset(x, firstRow),
          before,
          beforeAt);
    }
  }
}
