package io.attention4j.kernels.opencl;

import io.attention4j.engine.spi.ActivationKernel;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;

/** One item per element, see rows.cl. */
final class OpenClActivation implements ActivationKernel {
  private final ClContext context;

  OpenClActivation(ClContext context) {
    this.context = context;
  }

  @Override
  public Support supports(Function function) {
    return Support.YES;
  }

  @Override
  public void run(Function function, Tensor x, Tensor gated, Tensor out, long elements) {
    TensorChecks.requireFloats("x", x, elements);
    TensorChecks.requireFloats("out", out, elements);
    if (gated != null) {
      TensorChecks.requireFloats("gated", gated, elements);
    }
    int number =
        switch (function) {
          case SILU -> 0;
          case GELU -> 1;
          case GELU_TANH -> 2;
          case RELU -> 3;
          case SIGMOID -> 4;
          case SOFTPLUS -> 5;
        };
    ClBuffer in = DeviceMemory.of("x", x, context);
    context.launch(
        RowKernels.SOURCE,
        "activate",
        RowKernels.cover(elements),
        RowKernels.GROUP,
        number,
        elements,
        in,
        DeviceMemory.floatOffset(x),
        gated == null ? in : DeviceMemory.of("gated", gated, context),
        gated == null ? 0L : DeviceMemory.floatOffset(gated),
        gated == null ? 0 : 1,
        DeviceMemory.of("out", out, context),
        DeviceMemory.floatOffset(out));
  }
}
