package io.attention4j.llm.decoder;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.architecture.ModelConfig;
import io.attention4j.llm.architecture.Weight;
import io.attention4j.llm.decoder.Linear.Product;
import io.attention4j.llm.loading.WeightLoader;

/** Binds the weights of Mamba-2 layers to kernels and activations. */
final class Mamba2Loader {
  private final ModelConfig config;
  private final WeightLoader weights;
  private final KernelSelector kernels;
  private final Activations a;
  private final Mamba2Activations own;

  Mamba2Loader(
      ModelConfig config,
      WeightLoader weights,
      KernelSelector kernels,
      Activations a,
      Mamba2Activations own) {
    this.config = config;
    this.weights = weights;
    this.kernels = kernels;
    this.a = a;
    this.own = own;
  }

  /** Loads a layer; what was opened is closed if that fails. */
  Mamba2Block load(int layer) {
    ModelConfig.Sizes sizes = config.sizes();
    int dim = sizes.modelDim();
    int heads = sizes.queryHeads();
    int inner = Mamba2Activations.innerDim(sizes);
    int channels = Mamba2Activations.channels(config);
    int taps = ((ModelConfig.Recurrence.Mamba2) config.recurrence()).taps();
    Tensor in = weights.matrix(Weight.SSM_IN, layer, (long) inner + channels + heads, dim);
    Tensor out = weights.matrix(Weight.SSM_OUT, layer, dim, inner);
    Norm norm = Norm.load(config.norms(), Weight.ATTENTION_NORM, layer, dim, weights, kernels);
    Tensor convolution =
        weights.flat(Weight.SSM_CONVOLUTION, layer, (long) channels * taps).reshape(channels, taps);
    Tensor convolutionBias = weights.bias(Weight.SSM_CONVOLUTION, layer, channels).orElse(null);
    Floats timeBias = Floats.of(weights.requiredBias(Weight.SSM_TIME_STEP, layer, heads));
    Floats decay = Floats.of(weights.flatPlain(Weight.SSM_A, layer, heads));
    Floats through = Floats.of(weights.flatPlain(Weight.SSM_D, layer, heads));
    Floats groupNorm = Floats.of(weights.flat(Weight.SSM_NORM, layer, inner));
    Linear first =
        Linear.of(
            kernels,
            new Product(in.slice(0, 0, inner), null, own.z),
            new Product(in.slice(0, inner, channels), null, own.xbc),
            new Product(in.slice(0, (long) inner + channels, heads), null, own.timeSteps));
    boolean complete = false;
    Linear last = null;
    try {
      last = Linear.of(kernels, new Product(out, null, a.residual));
      Mamba2Block block =
          new Mamba2Block(
              new Mamba2Block.Weights(
                  norm,
                  first,
                  convolution,
                  convolutionBias,
                  timeBias,
                  decay,
                  through,
                  groupNorm,
                  last),
              config,
              kernels,
              a,
              own);
      complete = true;
      return block;
    } finally {
      if (!complete) {
        first.close();
        if (last != null) {
          last.close();
        }
      }
    }
  }
}
