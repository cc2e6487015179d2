package io.attention4j.llm.architecture;

import io.attention4j.engine.spi.ActivationKernel;
import io.attention4j.engine.spi.RopeSpec;
import java.util.List;
import java.util.Set;

/** Qwen 2 and 2.5: biased q, k and v. */
final class Qwen2 implements Architecture {
  @Override
  public String id() {
    return "qwen2";
  }

  @Override
  public Set<String> modelTypes() {
    return Set.of("qwen2");
  }

  @Override
  public ModelConfig config(Settings settings) {
    return config(id(), settings, true, false);
  }

  /** Qwen 3 differs in two switches. */
  static ModelConfig config(String id, Settings settings, boolean biased, boolean normed) {
    ModelConfig.Sizes sizes = CommonSettings.sizes(settings);
    int window = settings.flag(Setting.WINDOW_IN_USE, false) ? CommonSettings.window(settings) : 0;
    int firstSliding = settings.integer(Setting.WINDOW_FIRST_LAYER, 0);
    return new ModelConfig(
        id,
        sizes,
        CommonSettings.plainEmbedding(settings),
        CommonSettings.rmsNorms(settings),
        new ModelConfig.Attention(
            CommonSettings.scale(sizes),
            0,
            false,
            biased,
            normed,
            List.of(CommonSettings.rope(settings, sizes, RopeSpec.Layout.HALF_SPLIT)),
            CommonSettings.layers(
                sizes.layers(), window, layer -> window > 0 && layer >= firstSliding, 0)),
        new ModelConfig.FeedForward(ActivationKernel.Function.SILU, true, false));
  }
}
