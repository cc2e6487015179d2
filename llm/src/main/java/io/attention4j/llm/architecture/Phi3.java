package io.attention4j.llm.architecture;

import io.attention4j.engine.spi.ActivationKernel;
import io.attention4j.engine.spi.RopeSpec;
import java.util.List;
import java.util.Set;

/** Phi-3, 3.5 and 4-mini: q, k, v in one matrix, gate and up in another, LongRoPE. */
final class Phi3 implements Architecture {
  @Override
  public String id() {
    return "phi3";
  }

  @Override
  public Set<String> modelTypes() {
    return Set.of("phi3");
  }

  @Override
  public ModelConfig config(Settings settings) {
    ModelConfig.Sizes sizes = CommonSettings.sizes(settings);
    return new ModelConfig(
        id(),
        sizes,
        CommonSettings.plainEmbedding(settings),
        CommonSettings.rmsNorms(settings),
        new ModelConfig.Attention(
            CommonSettings.scale(sizes),
            0,
            true,
            false,
            false,
            List.of(CommonSettings.rope(settings, sizes, RopeSpec.Layout.HALF_SPLIT)),
            CommonSettings.layers(sizes.layers(), CommonSettings.window(settings))),
        new ModelConfig.FeedForward(ActivationKernel.Function.SILU, true, true));
  }
}
