package io.attention4j.engine.spi;

import io.attention4j.engine.tensor.Tensor;

/** The non-linearities of feed-forward layers and gates. */
public interface ActivationKernel extends Kernel<ActivationKernel.Function> {
  /** Which function. */
  enum Function {
    /** x * sigmoid(x). */
    SILU,
    /** x * Phi(x), with the error function. */
    GELU,
    /** GELU's tanh approximation. */
    GELU_TANH,
    /** max(x, 0). */
    RELU,
    /** sigmoid(x). */
    SIGMOID,
    /** ln(1 + e^x): steps of selective state spaces. */
    SOFTPLUS
  }

  /**
   * out = f(x), times {@code gated} where given (SwiGLU, GeGLU).
   *
   * @param x F32, contiguous, at least {@code elements}
   * @param gated F32 like x, or null
   * @param out F32 like x; may be x or gated itself
   */
  void run(Function function, Tensor x, Tensor gated, Tensor out, long elements);
}
