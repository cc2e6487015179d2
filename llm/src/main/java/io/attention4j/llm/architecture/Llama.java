package io.attention4j.llm.architecture;

import io.attention4j.engine.spi.ActivationKernel;
import io.attention4j.engine.spi.RopeSpec;
import java.util.List;
import java.util.Set;

/** Llama 1 to 3.x, and what was built like it: Mistral, SmolLM, TinyLlama. */
final class Llama implements Architecture {
  @Override
  public String id() {
    return "llama";
  }

  @Override
  public Set<String> modelTypes() {
    return Set.of("llama", "mistral");
  }

  @Override
  public ModelConfig config(Settings settings) {
    ModelConfig.Sizes sizes = CommonSettings.sizes(settings);
    // GGUF converters reorder the rows of q and k so that a pair is adjacent.
    RopeSpec.Layout layout =
        settings.isGguf() ? RopeSpec.Layout.INTERLEAVED : RopeSpec.Layout.HALF_SPLIT;
    return new ModelConfig(
        id(),
        sizes,
        CommonSettings.plainEmbedding(settings),
        CommonSettings.rmsNorms(settings),
        new ModelConfig.Attention(
            CommonSettings.scale(sizes),
            0,
            false,
            false,
            false,
            List.of(CommonSettings.rope(settings, sizes, layout)),
            CommonSettings.layers(sizes.layers(), CommonSettings.window(settings))),
        new ModelConfig.FeedForward(ActivationKernel.Function.SILU, true, false));
  }
}
