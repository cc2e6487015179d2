package io.attention4j.kernels.opencl;

import io.attention4j.engine.spi.NormKernel;
import io.attention4j.engine.spi.NormSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;

/** One work group per row, see rows.cl. */
final class OpenClNorm implements NormKernel {
  private final ClContext context;

  OpenClNorm(ClContext context) {
    this.context = context;
  }

  @Override
  public Support supports(NormSpec spec) {
    return Support.YES;
  }

  @Override
  public void run(NormSpec spec, Tensor x, int rows, Tensor weight, Tensor bias, Tensor out) {
    TensorChecks.requireRows("x", x, rows, spec.size());
    TensorChecks.requireRows("out", out, rows, spec.size());
    TensorChecks.requireVectorOrNull("weight", weight, spec.size());
    TensorChecks.requireVectorOrNull("bias", bias, spec.size());
    ClBuffer in = DeviceMemory.of("x", x, context);
    context.launch(
        RowKernels.SOURCE,
        "norm",
        new long[] {rows},
        RowKernels.GROUP,
        spec.kind() == NormSpec.Kind.LAYER ? 1 : 0,
        spec.size(),
        spec.epsilon(),
        spec.weightOffset(),
        in,
        DeviceMemory.floatOffset(x),
        weight == null ? in : DeviceMemory.of("weight", weight, context),
        weight == null ? 0L : DeviceMemory.floatOffset(weight),
        weight == null ? 0 : 1,
        bias == null ? in : DeviceMemory.of("bias", bias, context),
        bias == null ? 0L : DeviceMemory.floatOffset(bias),
        bias == null ? 0 : 1,
        DeviceMemory.of("out", out, context),
        DeviceMemory.floatOffset(out));
  }
}
