package io.attention4j.cli.conformance;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.ActivationKernel;
import io.attention4j.engine.spi.ActivationKernel.Function;
import io.attention4j.engine.spi.CausalConvKernel;
import io.attention4j.engine.spi.CausalConvSpec;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.util.Arrays;
import java.util.Map;

/** ONNX {@code CausalConvWithState}: channels before time, where the kernel has time first. */
final class OnnxCausalConv implements OnnxOperator {
  @Override
  public Map<String, double[]> compute(OnnxCase c, KernelSelector kernels) {
    SkippedCaseException.requireKernel(kernels, CausalConvKernel.class);
    OnnxTensor x = c.input("input");
    OnnxTensor weight = c.input("weight");
    OnnxTensor bias = c.inputs().get("bias");
    OnnxTensor past = c.inputs().get("past_state");
    if (x.rank() != 3 || weight.rank() != 3 || weight.extent(1) != 1) {
      throw new IllegalArgumentException(
          "input and weight must be [batch, channels, rows] and [channels, 1, taps], not "
              + Arrays.toString(x.shape())
              + " and "
              + Arrays.toString(weight.shape()));
    }
    int batch = x.extent(0);
    int rows = x.extent(2);
    CausalConvSpec spec = new CausalConvSpec(x.extent(1), weight.extent(2));
    require("weight", weight, spec.channels(), 1, spec.kernelSize());
    if (bias != null) {
      require("bias", bias, spec.channels());
    }
    if (past != null) {
      require("past_state", past, batch, spec.channels(), spec.kernelSize() - 1);
    }
    boolean silu = isSilu(c.word("activation", "none"));
    int size = rows * spec.channels();
    double[] output = new double[batch * size];
    double[] present = new double[batch * spec.stateSize()];
    CausalConvKernel kernel = kernels.select(CausalConvKernel.class, spec);
    try (DeviceData data = new DeviceData(kernels.device())) {
      Tensor taps = data.floats(weight.floats(), spec.channels(), spec.kernelSize());
      Tensor offsets = bias == null ? null : data.floats(bias.floats(), spec.channels());
      for (int s = 0; s < batch; s++) {
        float[] sequence = Arrays.copyOfRange(x.floats(), s * size, (s + 1) * size);
        Tensor in = data.floats(transposed(sequence, spec.channels()), rows, spec.channels());
        Tensor state = state(data, spec, past, s);
        Tensor out = data.zeros(DType.F32, rows, spec.channels());
        kernel.run(spec, in, rows, taps, offsets, state, out);
        if (silu) {
          kernels
              .select(ActivationKernel.class, Function.SILU)
              .run(Function.SILU, out, null, out, size);
        }
        store(transposed(data.read(out), rows), output, s);
        if (state != null) {
          store(data.read(state), present, s);
        }
      }
    }
    return Map.of("output", output, "present_state", present);
  }

  private static boolean isSilu(String activation) {
    return switch (activation) {
      case "silu", "swish" -> true;
      case "none" -> false;
      default ->
          throw new IllegalArgumentException(
              "activation '" + activation + "' must be none, silu or swish");
    };
  }

  private static Tensor state(DeviceData data, CausalConvSpec spec, OnnxTensor past, int s) {
    if (spec.kernelSize() == 1) {
      return null;
    }
    int size = spec.stateSize();
    float[] values =
        past == null
            ? new float[size]
            : Arrays.copyOfRange(past.floats(), s * size, (s + 1) * size);
    return data.floats(values, spec.channels(), spec.kernelSize() - 1);
  }

  /** [rows, columns] as [columns, rows]. */
  private static float[] transposed(float[] matrix, int rows) {
    float[] result = new float[matrix.length];
    int columns = rows == 0 ? 0 : matrix.length / rows;
    for (int i = 0; i < matrix.length; i++) {
      result[i % columns * rows + i / columns] = matrix[i];
    }
    return result;
  }

  private static void require(String slot, OnnxTensor tensor, int... shape) {
    if (!Arrays.equals(tensor.shape(), shape)) {
      throw new IllegalArgumentException(
          slot
              + " is "
              + Arrays.toString(tensor.shape())
              + " but must be "
              + Arrays.toString(shape));
    }
  }

  private static void store(float[] values, double[] target, int s) {
    System.arraycopy(OnnxTensor.doubles(values), 0, target, s * values.length, values.length);
  }
}
