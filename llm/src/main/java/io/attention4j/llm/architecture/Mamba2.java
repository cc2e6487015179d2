package io.attention4j.llm.architecture;

import io.attention4j.engine.spi.ActivationKernel;
import io.attention4j.llm.architecture.ModelConfig.Sizes;
import java.util.Set;

/** Mamba-2 (Dao and Gu 2024, arXiv 2405.21060), in the conventions of GGUF converters. */
final class Mamba2 implements Architecture {
  @Override
  public String id() {
    return "mamba2";
  }

  @Override
  public Set<String> modelTypes() {
    return Set.of();
  }

  @Override
  public ModelConfig config(Settings settings) {
    int modelDim = extent(settings, Setting.MODEL_DIM, CommonSettings.MAX_DIM);
    int innerDim = extent(settings, Setting.SSM_INNER_DIM, CommonSettings.MAX_DIM);
    int stateDim = extent(settings, Setting.SSM_STATE_DIM, CommonSettings.MAX_HEADS);
    int heads = extent(settings, Setting.SSM_HEADS, CommonSettings.MAX_HEADS);
    int groups = extent(settings, Setting.SSM_GROUPS, CommonSettings.MAX_HEADS);
    int taps = extent(settings, Setting.SSM_TAPS, 64);
    if (innerDim % heads != 0 || heads % groups != 0) {
      throw settings.error(
          innerDim
              + " inner elements do not divide into "
              + heads
              + " heads, or these not into "
              + groups
              + " groups",
          "download or convert the model again");
    }
    int layers = CommonSettings.layers(settings);
    Sizes sizes =
        new Sizes(
            settings.vocabularySize(),
            CommonSettings.context(settings, CommonSettings.MAX_CONTEXT),
            modelDim,
            layers,
            heads,
            heads,
            stateDim,
            innerDim / heads,
            0);
    return new ModelConfig(
        id(),
        sizes,
        new ModelConfig.Embedding(1, false, true, 0),
        CommonSettings.rmsNorms(settings),
        CommonSettings.noAttention(layers),
        new ModelConfig.FeedForward(ActivationKernel.Function.SILU, false, false),
        new ModelConfig.Recurrence.Mamba2(groups, taps));
  }

  private static int extent(Settings settings, Setting setting, int max) {
    return CommonSettings.extent(settings, setting, max, settings.integer(setting));
  }
}
