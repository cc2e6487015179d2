package io.attention4j.engine.reference;

import io.attention4j.engine.spi.ElementwiseKernel;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** x + y, x * y, c x and c tanh(x / c). */
final class ReferenceElementwise implements ElementwiseKernel {
  @Override
  public Support supports(Operation operation) {
    return Support.YES;
  }

  @Override
  public void run(Operation operation, Tensor x, Tensor y, float scalar, long elements) {
    TensorChecks.requireElementwise(operation, x, y, elements);
    MemorySegment data = x.segment();
    MemorySegment other = y == null ? null : y.segment();
    for (long i = 0; i < elements; i++) {
      double value = data.getAtIndex(Tensor.FLOAT, i);
      double result =
          switch (operation) {
            case ADD -> value + other.getAtIndex(Tensor.FLOAT, i);
            case MULTIPLY -> value * other.getAtIndex(Tensor.FLOAT, i);
            case SCALE -> value * scalar;
            case SOFT_CAP -> scalar * Math.tanh(value / scalar);
          };
      data.setAtIndex(Tensor.FLOAT, i, (float) result);
    }
  }
}
