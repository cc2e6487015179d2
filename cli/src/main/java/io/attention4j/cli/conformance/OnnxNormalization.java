package io.attention4j.cli.conformance;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.NormKernel;
import io.attention4j.engine.spi.NormSpec;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.util.Map;

/** ONNX {@code RMSNormalization} and {@code LayerNormalization} over the axes from one on. */
final class OnnxNormalization implements OnnxOperator {
  private final NormSpec.Kind kind;
  private final String scaleSlot;

  OnnxNormalization(NormSpec.Kind kind, String scaleSlot) {
    this.kind = kind;
    this.scaleSlot = scaleSlot;
  }

  @Override
  public Map<String, double[]> compute(OnnxCase c, KernelSelector kernels) {
    OnnxTensor x = c.input("X");
    int axis = OnnxSoftmax.axis(c, x);
    int rows = x.product(0, axis);
    int size = x.product(axis, x.rank());
    NormSpec spec = new NormSpec(kind, size, (float) c.number("epsilon", 1e-5), 0);
    try (DeviceData data = new DeviceData(kernels.device())) {
      OnnxTensor bias = c.inputs().get("B");
      Tensor out = data.zeros(DType.F32, rows, size);
      kernels
          .select(NormKernel.class, spec)
          .run(
              spec,
              data.floats(x.floats(), rows, size),
              rows,
              data.floats(c.input(scaleSlot).floats(), size),
              bias == null ? null : data.floats(bias.floats(), size),
              out);
      return Map.of("Y", OnnxTensor.doubles(data.read(out)));
    }
  }
}
