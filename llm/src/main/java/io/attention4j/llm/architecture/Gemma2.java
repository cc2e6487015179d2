package io.attention4j.llm.architecture;

import io.attention4j.engine.spi.NormSpec;
import io.attention4j.engine.spi.RopeSpec;
import java.util.List;
import java.util.Set;

/**
 * Gemma 2: norms before and after each branch, soft-capped scores and logits, every other layer
 * with a sliding window (Gemma Team 2024, arXiv 2408.00118, section 2).
 */
final class Gemma2 implements Architecture {
  private static final int LAYERS_OF_27B = 46;

  @Override
  public String id() {
    return "gemma2";
  }

  @Override
  public Set<String> modelTypes() {
    return Set.of("gemma2");
  }

  @Override
  public ModelConfig config(Settings settings) {
    ModelConfig.Sizes sizes = CommonSettings.sizes(settings);
    int window = settings.positive(Setting.WINDOW, 4096);
    // The 27B model alone scales by modelDim / queryHeads; GGUF has no key that says so.
    int usualScalar =
        sizes.layers() == LAYERS_OF_27B ? sizes.modelDim() / sizes.queryHeads() : sizes.headDim();
    return new ModelConfig(
        id(),
        sizes,
        new ModelConfig.Embedding(
            (float) Math.sqrt(sizes.modelDim()),
            false,
            true,
            (float) settings.number(Setting.FINAL_SOFT_CAP, settings.isGguf() ? 30 : 0)),
        norms(settings),
        new ModelConfig.Attention(
            (float) (1 / Math.sqrt(settings.above(0, Setting.QUERY_SCALAR, usualScalar))),
            (float) settings.number(Setting.ATTENTION_SOFT_CAP, settings.isGguf() ? 50 : 0),
            false,
            false,
            false,
            List.of(CommonSettings.rope(settings, sizes, RopeSpec.Layout.HALF_SPLIT)),
            CommonSettings.layers(
                sizes.layers(),
                window,
                CommonSettings.sliding(settings, sizes.layers(), layer -> layer % 2 == 0),
                0)),
        new ModelConfig.FeedForward(
            CommonSettings.activation(settings, "gelu_pytorch_tanh"), true, false));
  }

  /** GGUF converters add Gemma's 1 to the stored weights. */
  static ModelConfig.Norms norms(Settings settings) {
    float epsilon = (float) settings.above(0, Setting.RMS_EPSILON, 1e-6);
    return new ModelConfig.Norms(NormSpec.Kind.RMS, epsilon, settings.isGguf() ? 0 : 1, true);
  }

  @Override
  public WeightNames names(Settings.Format format) {
    WeightNames names = WeightNames.standard(format);
    return format == Settings.Format.GGUF
        ? names
        : names.with(Weight.FEED_FORWARD_NORM, "model.layers.%d.pre_feedforward_layernorm");
  }
}
