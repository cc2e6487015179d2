package io.attention4j.cli.conformance;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.SoftmaxKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.util.Map;

/** ONNX {@code Softmax} along one axis; the kernel takes rows, so the axis moves to the end. */
final class OnnxSoftmax implements OnnxOperator {
  @Override
  public Map<String, double[]> compute(OnnxCase c, KernelSelector kernels) {
    OnnxTensor x = c.input("input");
    int axis = axis(c, x);
    int size = x.extent(axis);
    int inner = x.product(axis + 1, x.rank());
    int rows = size == 0 ? 0 : x.values().length / size;
    float[] moved = new float[x.values().length];
    for (int i = 0; i < moved.length; i++) {
      moved[i] = (float) x.values()[source(i, size, inner)];
    }
    try (DeviceData data = new DeviceData(kernels.device())) {
      Tensor out = data.zeros(DType.F32, rows, size);
      kernels
          .select(SoftmaxKernel.class, size)
          .run(data.floats(moved, rows, size), rows, size, out);
      float[] result = data.read(out);
      double[] restored = new double[result.length];
      for (int i = 0; i < result.length; i++) {
        restored[source(i, size, inner)] = result[i];
      }
      return Map.of("output", restored);
    }
  }

  /** Where element i of [outer, inner, size] stands in [outer, size, inner]. */
  private static int source(int i, int size, int inner) {
    int row = i / size;
    return (row / inner * size + i % size) * inner + row % inner;
  }

  /** The attribute {@code axis}, default -1, from 0. */
  static int axis(OnnxCase c, OnnxTensor x) {
    int axis = c.integer("axis", -1);
    if (axis < -x.rank() || axis >= x.rank()) {
      throw new IllegalArgumentException("axis " + axis + " is outside rank " + x.rank());
    }
    return axis < 0 ? axis + x.rank() : axis;
  }
}
