package io.attention4j.engine.reference;

import io.attention4j.engine.spi.SoftmaxKernel;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** y_i = exp(x_i - max x) / sum_j exp(x_j - max x); zeros where every x is -inf. */
final class ReferenceSoftmax implements SoftmaxKernel {
  @Override
  public Support supports(Integer size) {
    return Support.YES;
  }

  @Override
  public void run(Tensor x, int rows, int size, Tensor out) {
    TensorChecks.requireRows("x", x, rows, size);
    TensorChecks.requireRows("out", out, rows, size);
    MemorySegment in = x.segment();
    MemorySegment result = out.segment();
    for (int row = 0; row < rows; row++) {
      long first = (long) row * size;
      double max = Double.NEGATIVE_INFINITY;
      for (int i = 0; i < size; i++) {
        max = Math.max(max, in.getAtIndex(Tensor.FLOAT, first + i));
      }
      double sum = 0;
      for (int i = 0; i < size; i++) {
        sum += Math.exp(in.getAtIndex(Tensor.FLOAT, first + i) - max);
      }
      for (int i = 0; i < size; i++) {
        double y =
            max == Double.NEGATIVE_INFINITY
                ? 0
                : Math.exp(in.getAtIndex(Tensor.FLOAT, first + i) - max) / sum;
        result.setAtIndex(Tensor.FLOAT, first + i, (float) y);
      }
    }
  }
}
