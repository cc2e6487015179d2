package io.attention4j.cli.conformance;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.ActivationKernel;
import io.attention4j.engine.spi.ActivationKernel.Function;
import io.attention4j.engine.spi.ElementwiseKernel;
import io.attention4j.engine.spi.ElementwiseKernel.Operation;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.util.Map;

/** ONNX {@code Gelu}, {@code Swish} (x sigmoid(alpha x)) and {@code SwiGLU} (Swish(a) b). */
final class OnnxActivation {
  private OnnxActivation() {}

  static Map<String, double[]> gelu(OnnxCase c, KernelSelector kernels) {
    boolean tanh = c.word("approximate", "none").equals("tanh");
    Function function = tanh ? Function.GELU_TANH : Function.GELU;
    OnnxTensor x = c.input("X");
    int elements = x.values().length;
    try (DeviceData data = new DeviceData(kernels.device())) {
      Tensor out = data.zeros(DType.F32, elements);
      kernels
          .select(ActivationKernel.class, function)
          .run(function, data.floats(x.floats(), elements), null, out, elements);
      return Map.of("Y", OnnxTensor.doubles(data.read(out)));
    }
  }

  static Map<String, double[]> swish(OnnxCase c, KernelSelector kernels) {
    return Map.of("Y", swish(c, kernels, c.input("X"), null));
  }

  static Map<String, double[]> swiglu(OnnxCase c, KernelSelector kernels) {
    return Map.of("y", swish(c, kernels, c.input("a"), c.input("b")));
  }

  private static double[] swish(
      OnnxCase c, KernelSelector kernels, OnnxTensor input, OnnxTensor factor) {
    float alpha = (float) c.number("alpha", 1);
    int elements = input.values().length;
    if (factor != null && factor.values().length != elements) {
      throw new IllegalArgumentException(
          "a and b have " + elements + " and " + factor.values().length + " elements");
    }
    try (DeviceData data = new DeviceData(kernels.device())) {
      Tensor x = data.floats(input.floats(), elements);
      Tensor b = factor == null ? null : data.floats(factor.floats(), elements);
      Tensor out = data.zeros(DType.F32, elements);
      if (alpha == 1) {
        kernels
            .select(ActivationKernel.class, Function.SILU)
            .run(Function.SILU, x, b, out, elements);
      } else {
        Tensor scaled = data.floats(input.floats(), elements);
        kernels
            .select(ElementwiseKernel.class, Operation.SCALE)
            .run(Operation.SCALE, scaled, null, alpha, elements);
        kernels
            .select(ActivationKernel.class, Function.SIGMOID)
            .run(Function.SIGMOID, scaled, x, out, elements);
        if (b != null) {
          kernels
              .select(ElementwiseKernel.class, Operation.MULTIPLY)
              .run(Operation.MULTIPLY, out, b, 0, elements);
        }
      }
      return OnnxTensor.doubles(data.read(out));
    }
  }
}
