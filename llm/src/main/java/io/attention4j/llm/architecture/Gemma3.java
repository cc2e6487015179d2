package io.attention4j.llm.architecture;

import io.attention4j.engine.spi.RopeSpec;
import java.util.List;
import java.util.Set;

/**
 * Gemma 3, its text decoder: five layers with a sliding window and a rotation of their own, then
 * one that sees everything; normalised heads of q and k instead of Gemma 2's soft caps (Gemma Team
 * 2025, arXiv 2503.19786, section 2).
 */
final class Gemma3 implements Architecture {
  private static final int LAYERS_OF_27B = 62;
  private static final double LOCAL_BASE = 10_000;

  @Override
  public String id() {
    return "gemma3";
  }

  @Override
  public Set<String> modelTypes() {
    return Set.of("gemma3_text", "gemma3");
  }

  @Override
  public ModelConfig config(Settings settings) {
    ModelConfig.Sizes sizes = sizes(settings);
    int period = settings.positive(Setting.WINDOW_PATTERN, 6);
    int window = settings.positive(Setting.WINDOW, settings.isGguf() ? 1024 : 4096);
    int usualScalar =
        !settings.isGguf()
            ? 256
            : sizes.layers() == LAYERS_OF_27B
                ? sizes.modelDim() / sizes.queryHeads()
                : sizes.headDim();
    RopeSpec spec = CommonSettings.ropeSpec(settings, sizes, RopeSpec.Layout.HALF_SPLIT);
    ModelConfig.Rope global =
        new ModelConfig.Rope(
            spec,
            settings.above(1, Setting.ROPE_BASE, 1_000_000),
            RopeScalings.read(settings, sizes, spec));
    ModelConfig.Rope local =
        new ModelConfig.Rope(
            spec, settings.above(1, Setting.ROPE_LOCAL_BASE, LOCAL_BASE), new RopeScaling.None());
    return new ModelConfig(
        id(),
        sizes,
        new ModelConfig.Embedding(
            (float) Math.sqrt(sizes.modelDim()),
            false,
            true,
            (float) settings.number(Setting.FINAL_SOFT_CAP, 0)),
        Gemma2.norms(settings),
        new ModelConfig.Attention(
            (float) (1 / Math.sqrt(settings.above(0, Setting.QUERY_SCALAR, usualScalar))),
            (float) settings.number(Setting.ATTENTION_SOFT_CAP, 0),
            false,
            false,
            true,
            List.of(global, local),
            CommonSettings.layers(
                sizes.layers(),
                window,
                CommonSettings.sliding(
                    settings, sizes.layers(), layer -> (layer + 1) % period != 0),
                1)),
        new ModelConfig.FeedForward(
            CommonSettings.activation(settings, "gelu_pytorch_tanh"), true, false));
  }

  /** config.json leaves out what equals the defaults of the 4B model. */
  private static ModelConfig.Sizes sizes(Settings settings) {
    if (settings.isGguf() || settings.has(Setting.QUERY_HEADS)) {
      return CommonSettings.sizes(settings);
    }
    return CommonSettings.sizes(settings, settings.integer(Setting.MODEL_DIM, 2304), 8, 4, 256);
  }

  @Override
  public WeightNames names(Settings.Format format) {
    return new Gemma2().names(format);
  }
}
