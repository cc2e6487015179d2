package io.attention4j.llm.decoder;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.NormKernel;
import io.attention4j.engine.spi.NormSpec;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.architecture.ModelConfig;
import io.attention4j.llm.architecture.Weight;
import io.attention4j.llm.loading.WeightLoader;

/** A norm with its weights. */
record Norm(NormKernel kernel, NormSpec spec, Tensor weight, Tensor bias) {
  static Norm load(
      ModelConfig.Norms norms,
      Weight role,
      int layer,
      int size,
      WeightLoader weights,
      KernelSelector kernels) {
    NormSpec spec = new NormSpec(norms.kind(), size, norms.epsilon(), norms.weightOffset());
    Tensor weight = weights.vector(role, layer, size);
    Tensor bias = weights.bias(role, layer, size).orElse(null);
    return new Norm(kernels.select(NormKernel.class, spec), spec, weight, bias);
  }

  /** out = norm(x) for the first rows; out may be x. */
  void run(Tensor x, int rows, Tensor out) {
    kernel.run(spec, x, rows, weight, bias, out);
  }
}
