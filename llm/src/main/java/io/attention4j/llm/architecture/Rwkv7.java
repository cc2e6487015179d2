package io.attention4j.llm.architecture;

import io.attention4j.engine.spi.ActivationKernel;
import io.attention4j.engine.spi.NormSpec;
import io.attention4j.llm.architecture.ModelConfig.Sizes;
import java.util.Set;

/** RWKV-7 "Goose" (Peng et al. 2025, arXiv 2503.14456), from GGUF or a file of rwkv.cpp. */
final class Rwkv7 implements Architecture {
  /** The authors' constant, per element of a head. */
  private static final float HEAD_NORM_EPSILON = 1e-5f;

  @Override
  public String id() {
    return "rwkv7";
  }

  @Override
  public Set<String> modelTypes() {
    return Set.of();
  }

  @Override
  public ModelConfig config(Settings settings) {
    int modelDim =
        CommonSettings.extent(
            settings,
            Setting.MODEL_DIM,
            CommonSettings.MAX_DIM,
            settings.integer(Setting.MODEL_DIM));
    int headDim =
        CommonSettings.extent(
            settings,
            Setting.WKV_HEAD_DIM,
            CommonSettings.MAX_HEADS,
            settings.integer(Setting.WKV_HEAD_DIM));
    if (modelDim % headDim != 0) {
      throw settings.error(
          modelDim + " elements of the hidden state do not divide into heads of " + headDim,
          "download or convert the model again");
    }
    int heads = modelDim / headDim;
    int layers = CommonSettings.layers(settings);
    Sizes sizes =
        new Sizes(
            settings.vocabularySize(),
            CommonSettings.context(settings, CommonSettings.MAX_CONTEXT),
            modelDim,
            layers,
            heads,
            heads,
            headDim,
            headDim,
            CommonSettings.extent(
                settings,
                Setting.FEED_FORWARD_DIM,
                CommonSettings.MAX_DIM,
                settings.integer(Setting.FEED_FORWARD_DIM, 4 * modelDim)));
    float epsilon = (float) settings.above(0, Setting.LAYER_NORM_EPSILON, 1e-5);
    return new ModelConfig(
        id(),
        sizes,
        new ModelConfig.Embedding(1, false, false, 0),
        new ModelConfig.Norms(NormSpec.Kind.LAYER, epsilon, 0, false),
        CommonSettings.noAttention(layers),
        new ModelConfig.FeedForward(ActivationKernel.Function.RELU, false, false),
        new ModelConfig.Recurrence.Rwkv7(headDim * HEAD_NORM_EPSILON));
  }
}
