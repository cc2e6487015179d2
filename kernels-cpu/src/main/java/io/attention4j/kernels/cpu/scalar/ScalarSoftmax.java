package io.attention4j.kernels.cpu.scalar;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.rows.SoftmaxRows;
import java.lang.foreign.MemorySegment;

/** Softmax in plain loops, the sum in float64. */
final class ScalarSoftmax extends SoftmaxRows {
  ScalarSoftmax(Parallel workers) {
    super(workers);
  }

  @Override
  protected void softmax(MemorySegment x, long at, MemorySegment out, long outAt, int elements) {
    float max = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < elements; i++) {
      max = Math.max(max, x.get(Tensor.FLOAT, at + 4L * i));
    }
    if (max == Float.NEGATIVE_INFINITY) {
      for (int i = 0; i < elements; i++) {
        out.set(Tensor.FLOAT, outAt + 4L * i, 0);
      }
      return;
    }
    double sum = 0;
    for (int i = 0; i < elements; i++) {
      float power = (float) Math.exp(x.get(Tensor.FLOAT, at + 4L * i) - max);
      out.set(Tensor.FLOAT, outAt + 4L * i, power);
      sum += power;
    }
    float inverse = (float) (1 / sum);
    for (int i = 0; i < elements; i++) {
      out.set(Tensor.FLOAT, outAt + 4L * i, out.get(Tensor.FLOAT, outAt + 4L * i) * inverse);
    }
  }
}
