package io.attention4j.kernels.opencl;

import io.attention4j.engine.spi.ElementwiseKernel;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;

/** One item per element, see rows.cl. */
final class OpenClElementwise implements ElementwiseKernel {
  private final ClContext context;

  OpenClElementwise(ClContext context) {
    this.context = context;
  }

  @Override
  public Support supports(Operation operation) {
    return Support.YES;
  }

  @Override
  public void run(Operation operation, Tensor x, Tensor y, float scalar, long elements) {
    TensorChecks.requireElementwise(operation, x, y, elements);
    int number =
        switch (operation) {
          case ADD -> 0;
          case MULTIPLY -> 1;
          case SCALE -> 2;
          case SOFT_CAP -> 3;
        };
    ClBuffer in = DeviceMemory.of("x", x, context);
    context.launch(
        RowKernels.SOURCE,
        "elementwise",
        RowKernels.cover(elements),
        RowKernels.GROUP,
        number,
        elements,
        in,
        DeviceMemory.floatOffset(x),
        y == null ? in : DeviceMemory.of("y", y, context),
        y == null ? 0L : DeviceMemory.floatOffset(y),
        scalar);
  }
}
