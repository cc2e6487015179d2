package io.attention4j.llm.decoder;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.architecture.ModelConfig;
import io.attention4j.llm.architecture.Weight;
import io.attention4j.llm.decoder.Linear.Product;
import io.attention4j.llm.loading.WeightLoader;
import java.util.ArrayList;
import java.util.List;

/** Binds the weights of RWKV-7 layers to kernels and activations. */
final class Rwkv7Loader {
  /** Ranks in models are far smaller than the hidden state; a larger one is no model. */
  private static final int MAX_RANK_FACTOR = 4;

  private final ModelConfig config;
  private final WeightLoader weights;
  private final KernelSelector kernels;
  private final Activations a;
  private final Rwkv7Activations own;
  private final int dim;
  private final List<Linear> linears = new ArrayList<>();

  Rwkv7Loader(
      ModelConfig config,
      WeightLoader weights,
      KernelSelector kernels,
      Activations a,
      Rwkv7Activations own) {
    this.config = config;
    this.weights = weights;
    this.kernels = kernels;
    this.a = a;
    this.own = own;
    this.dim = config.sizes().modelDim();
  }

  /** Loads a layer; what was opened is closed if that fails. */
  Rwkv7Block load(int layer) {
    linears.clear();
    boolean complete = false;
    try {
      Rwkv7Block block =
          new Rwkv7Block(timeMix(layer), channelMix(layer), config, kernels, a, own, linears);
      complete = true;
      return block;
    } finally {
      if (!complete) {
        Closing.all(linears);
      }
    }
  }

  private Rwkv7Block.TimeMix timeMix(int layer) {
    ModelConfig.Recurrence.Rwkv7 recurrence = (ModelConfig.Recurrence.Rwkv7) config.recurrence();
    Rwkv7Block.Narrow share = null;
    if (layer == 0) {
      // Converters write these for the first layer too, which has nothing to share with.
      weights.ignore(Weight.TIME_MIX_V0, layer);
      weights.ignore(Weight.TIME_MIX_V1, layer);
      weights.ignore(Weight.TIME_MIX_V2, layer);
    } else {
      share = narrow(Weight.TIME_MIX_V1, Weight.TIME_MIX_V2, Weight.TIME_MIX_V0, layer, own.share);
    }
    return new Rwkv7Block.TimeMix(
        norm(Weight.ATTENTION_NORM, layer),
        Floats.of(weights.flat(Weight.TIME_MIX_LERP, layer, (long) Rwkv7Activations.MIXES * dim)),
        square(Weight.TIME_MIX_RECEPTANCE, layer, Activations.flat(a.q)),
        square(Weight.TIME_MIX_KEY, layer, Activations.flat(a.k)),
        square(Weight.TIME_MIX_VALUE, layer, Activations.flat(a.v)),
        narrow(Weight.TIME_MIX_W1, Weight.TIME_MIX_W2, Weight.TIME_MIX_W0, layer, own.decay),
        narrow(Weight.TIME_MIX_A1, Weight.TIME_MIX_A2, Weight.TIME_MIX_A0, layer, own.rate),
        share,
        narrow(Weight.TIME_MIX_G1, Weight.TIME_MIX_G2, null, layer, own.gate),
        vector(Weight.TIME_MIX_K_K, layer),
        vector(Weight.TIME_MIX_K_A, layer),
        new Rwkv7Mixing.HeadNorm(
            recurrence.headNormEpsilon(),
            vector(Weight.TIME_MIX_NORM, layer),
            Floats.of(weights.requiredBias(Weight.TIME_MIX_NORM, layer, dim)),
            vector(Weight.TIME_MIX_R_K, layer)),
        square(Weight.TIME_MIX_OUTPUT, layer, a.residual));
  }

  private Rwkv7Block.ChannelMix channelMix(int layer) {
    int wide = config.sizes().feedForwardDim();
    return new Rwkv7Block.ChannelMix(
        norm(Weight.CHANNEL_MIX_NORM, layer),
        vector(Weight.CHANNEL_MIX_LERP, layer),
        linear(weights.matrix(Weight.CHANNEL_MIX_KEY, layer, wide, dim), null, a.up),
        linear(weights.matrix(Weight.CHANNEL_MIX_VALUE, layer, dim, wide), null, a.residual));
  }

  /** The norm of the token embedding, in place of the scale that other models have. */
  static Norm embeddingNorm(ModelConfig config, WeightLoader weights, KernelSelector kernels) {
    return Norm.load(
        config.norms(),
        Weight.TOKEN_EMBEDDING_NORM,
        0,
        config.sizes().modelDim(),
        weights,
        kernels);
  }

  private Norm norm(Weight role, int layer) {
    return Norm.load(config.norms(), role, layer, dim, weights, kernels);
  }

  private Floats vector(Weight role, int layer) {
    return Floats.of(weights.flat(role, layer, dim));
  }

  private Linear square(Weight role, int layer, Tensor output) {
    return linear(weights.matrix(role, layer, dim, dim), null, output);
  }

  private Rwkv7Block.Narrow narrow(Weight down, Weight up, Weight bias, int layer, Tensor output) {
    Tensor first = weights.downProjection(down, layer, dim, (long) MAX_RANK_FACTOR * dim);
    long rank = first.extent(0);
    Tensor middle = own.narrow(rank);
    return new Rwkv7Block.Narrow(
        linear(first, null, middle),
        middle,
        linear(
            weights.matrix(up, layer, dim, rank),
            bias == null ? null : weights.flat(bias, layer, dim),
            output));
  }

  private Linear linear(Tensor weight, Tensor bias, Tensor output) {
    Linear linear = Linear.of(kernels, new Product(weight, bias, output));
    linears.add(linear);
    return linear;
  }
}
