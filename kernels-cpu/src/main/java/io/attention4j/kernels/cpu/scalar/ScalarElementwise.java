package io.attention4j.kernels.cpu.scalar;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.rows.ElementwiseRange;
import java.lang.foreign.MemorySegment;

/** Elementwise operations in plain loops. */
final class ScalarElementwise extends ElementwiseRange {
  ScalarElementwise(Parallel workers) {
    super(workers);
  }

  @Override
  protected void apply(
      Operation operation,
      MemorySegment x,
      long at,
      MemorySegment y,
      long yAt,
      float scalar,
      long elements) {
    for (long i = 0; i < elements; i++) {
      float value = x.get(Tensor.FLOAT, at + 4 * i);
      float result =
          switch (operation) {
            case ADD -> value + y.get(Tensor.FLOAT, yAt + 4 * i);
            case MULTIPLY -> value * y.get(Tensor.FLOAT, yAt + 4 * i);
            case SCALE -> value * scalar;
            case SOFT_CAP -> (float) (scalar * Math.tanh(value / scalar));
          };
      x.set(Tensor.FLOAT, at + 4 * i, result);
    }
  }
}
