package io.attention4j.kernels.opencl;

import io.attention4j.engine.spi.SoftmaxKernel;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;

/** One work group per row, see rows.cl. */
final class OpenClSoftmax implements SoftmaxKernel {
  private final ClContext context;

  OpenClSoftmax(ClContext context) {
    this.context = context;
  }

  @Override
  public Support supports(Integer size) {
    return Support.YES;
  }

  @Override
  public void run(Tensor x, int rows, int size, Tensor out) {
    TensorChecks.requireRows("x", x, rows, size);
    TensorChecks.requireRows("out", out, rows, size);
    context.launch(
        RowKernels.SOURCE,
        "softmax",
        new long[] {rows},
        RowKernels.GROUP,
        size,
        DeviceMemory.of("x", x, context),
        DeviceMemory.floatOffset(x),
        DeviceMemory.of("out", out, context),
        DeviceMemory.floatOffset(out));
  }
}
