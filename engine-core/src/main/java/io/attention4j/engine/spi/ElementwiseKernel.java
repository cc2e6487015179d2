package io.attention4j.engine.spi;

import io.attention4j.engine.tensor.Tensor;

/** Small operations between the big ones, on contiguous F32 tensors. */
public interface ElementwiseKernel extends Kernel<ElementwiseKernel.Operation> {
  /** Which operation. */
  enum Operation {
    /** x + y. */
    ADD,
    /** x * y. */
    MULTIPLY,
    /** x * scalar. */
    SCALE,
    /** scalar * tanh(x / scalar). */
    SOFT_CAP
  }

  /** x = x op (y or scalar) for the first {@code elements}; y is null for the scalar operations. */
  void run(Operation operation, Tensor x, Tensor y, float scalar, long elements);
}
