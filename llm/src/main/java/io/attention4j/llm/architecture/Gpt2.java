package io.attention4j.llm.architecture;

import io.attention4j.engine.spi.NormSpec;
import java.util.List;
import java.util.Set;

/** GPT-2 (Radford et al. 2019): learned positions, layer norms, biases everywhere. */
final class Gpt2 implements Architecture {
  @Override
  public String id() {
    return "gpt2";
  }

  @Override
  public Set<String> modelTypes() {
    return Set.of("gpt2");
  }

  @Override
  public ModelConfig config(Settings settings) {
    ModelConfig.Sizes sizes = CommonSettings.sizes(settings);
    float epsilon = (float) settings.above(0, Setting.LAYER_NORM_EPSILON, 1e-5);
    return new ModelConfig(
        id(),
        sizes,
        new ModelConfig.Embedding(1, true, true, 0),
        new ModelConfig.Norms(NormSpec.Kind.LAYER, epsilon, 0, false),
        new ModelConfig.Attention(
            CommonSettings.scale(sizes),
            0,
            true,
            true,
            false,
            List.of(),
            CommonSettings.layers(sizes.layers(), 0, layer -> true, -1)),
        new ModelConfig.FeedForward(CommonSettings.activation(settings, "gelu_new"), false, false));
  }

  @Override
  public WeightNames names(Settings.Format format) {
    WeightNames names = WeightNames.standard(format);
    if (format == Settings.Format.GGUF) {
      return names;
    }
    return names
        .with(Weight.TOKEN_EMBEDDING, "wte")
        .with(Weight.POSITION_EMBEDDING, "wpe")
        .with(Weight.ATTENTION_NORM, "h.%d.ln_1")
        .with(Weight.QUERY_KEY_VALUE, "h.%d.attn.c_attn")
        .with(Weight.ATTENTION_OUTPUT, "h.%d.attn.c_proj")
        .with(Weight.FEED_FORWARD_NORM, "h.%d.ln_2")
        .with(Weight.UP, "h.%d.mlp.c_fc")
        .with(Weight.DOWN, "h.%d.mlp.c_proj")
        .with(Weight.FINAL_NORM, "ln_f")
        .withTransposedMatrices();
  }
}
