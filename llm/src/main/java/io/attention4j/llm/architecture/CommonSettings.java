package io.attention4j.llm.architecture;

import static io.attention4j.llm.format.ModelFormatException.quote;

import io.attention4j.engine.spi.ActivationKernel;
import io.attention4j.engine.spi.NormSpec;
import io.attention4j.engine.spi.RopeSpec;
import io.attention4j.llm.architecture.ModelConfig.Layer;
import io.attention4j.llm.architecture.ModelConfig.Sizes;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;

/** What the architectures read alike. */
final class CommonSettings {
  static final int MAX_CONTEXT = 1 << 24;
  static final int MAX_DIM = 1 << 20;

  /** Of heads, and of elements of a head. */
  static final int MAX_HEADS = 1 << 12;

  private static final int MAX_LAYERS = 4096;
  private static final String OTHER_MODEL = "use another model or file";

  private CommonSettings() {}

  static Sizes sizes(Settings settings) {
    refuseExperts(settings);
    int modelDim =
        extent(settings, Setting.MODEL_DIM, MAX_DIM, settings.integer(Setting.MODEL_DIM));
    int queryHeads =
        extent(settings, Setting.QUERY_HEADS, MAX_HEADS, settings.integer(Setting.QUERY_HEADS));
    int kvHeads =
        extent(
            settings, Setting.KV_HEADS, MAX_HEADS, settings.integer(Setting.KV_HEADS, queryHeads));
    if (!settings.has(Setting.HEAD_DIM) && modelDim % queryHeads != 0) {
      throw settings.error(
          modelDim
              + " elements of the hidden state do not divide into "
              + queryHeads
              + " heads and no head size is given",
          "download or convert the model again");
    }
    return sizes(settings, modelDim, queryHeads, kvHeads, modelDim / queryHeads);
  }

  /** For files that leave out what equals the family's defaults. */
  static Sizes sizes(
      Settings settings, int modelDim, int queryHeads, int kvHeads, int defaultHeadDim) {
    int headDim =
        extent(
            settings,
            Setting.HEAD_DIM,
            MAX_HEADS,
            settings.integer(Setting.HEAD_DIM, defaultHeadDim));
    int valueDim =
        extent(
            settings, Setting.VALUE_DIM, MAX_HEADS, settings.integer(Setting.VALUE_DIM, headDim));
    if (queryHeads % kvHeads != 0) {
      throw settings.error(
          queryHeads + " query heads are not a multiple of " + kvHeads + " KV heads",
          "download or convert the model again");
    }
    int layers = layers(settings);
    return new Sizes(
        settings.vocabularySize(),
        context(settings, 131_072),
        modelDim,
        layers,
        queryHeads,
        kvHeads,
        headDim,
        valueDim,
        extent(
            settings,
            Setting.FEED_FORWARD_DIM,
            MAX_DIM,
            settings.integer(Setting.FEED_FORWARD_DIM, 4 * modelDim)));
  }

  /** Tokens that the model was trained for; {@code usual} where the file is silent. */
  static int context(Settings settings, int usual) {
    return extent(settings, Setting.CONTEXT, MAX_CONTEXT, settings.integer(Setting.CONTEXT, usual));
  }

  static int layers(Settings settings) {
    int layers = settings.integer(Setting.LAYERS);
    if (layers < 1 || layers > MAX_LAYERS) {
      throw settings.error(
          "the model says it has " + layers + " layers where 1 to " + MAX_LAYERS + " are possible",
          "download or convert the model again");
    }
    return layers;
  }

  /** Of a model without attention. */
  static ModelConfig.Attention noAttention(int layers) {
    return new ModelConfig.Attention(
        1, 0, false, false, false, List.of(), layers(layers, 0, layer -> true, -1));
  }

  static int extent(Settings settings, Setting setting, int max, int value) {
    if (value < 1 || value > max) {
      throw settings.error(
          "the setting "
              + settings.name(setting)
              + " is "
              + value
              + " where 1 to "
              + max
              + " is possible",
          "download or convert the model again");
    }
    return value;
  }

  private static void refuseExperts(Settings settings) {
    int experts = settings.integer(Setting.EXPERTS, 0);
    if (experts > 0) {
      throw settings.error(
          "the model is a mixture of " + experts + " experts, which cannot be run", OTHER_MODEL);
    }
  }

  static ModelConfig.Norms rmsNorms(Settings settings) {
    double epsilon = settings.above(0, Setting.RMS_EPSILON, 1e-6);
    return new ModelConfig.Norms(NormSpec.Kind.RMS, (float) epsilon, 0, false);
  }

  static ModelConfig.Embedding plainEmbedding(Settings settings) {
    // GGUF files leave the output matrix out where it is tied; config.json says so.
    boolean tied = settings.isGguf() || settings.flag(Setting.TIED_OUTPUT, false);
    return new ModelConfig.Embedding(1, false, tied, 0);
  }

  static float scale(Sizes sizes) {
    return (float) (1 / Math.sqrt(sizes.headDim()));
  }

  /** All layers alike: windows of this many tokens (0 for none) and the first rope. */
  static List<Layer> layers(int count, int windowTokens) {
    return layers(count, windowTokens, layer -> windowTokens > 0, 0);
  }

  /** Layers of which some see a window and use rope {@code slidingRope}. */
  static List<Layer> layers(int count, int windowTokens, IntPredicate sliding, int slidingRope) {
    List<Layer> layers = new ArrayList<>(count);
    for (int layer = 0; layer < count; layer++) {
      layers.add(sliding.test(layer) ? new Layer(windowTokens, slidingRope) : new Layer(0, 0));
    }
    return layers;
  }

  /** Which layers slide by layer_types, or by the family's rule where the file has none. */
  static IntPredicate sliding(Settings settings, int layers, IntPredicate rule) {
    List<String> types = settings.texts(Setting.LAYER_TYPES);
    if (types.isEmpty()) {
      return rule;
    }
    if (types.size() != layers) {
      throw settings.error(
          "layer_types names " + types.size() + " layers but there are " + layers,
          "download the model again");
    }
    for (String type : types) {
      if (!type.equals("sliding_attention") && !type.equals("full_attention")) {
        throw settings.error(
            "the layer type "
                + quote(type)
                + " cannot be run; known are sliding_attention and full_attention",
            OTHER_MODEL);
      }
    }
    return layer -> types.get(layer).equals("sliding_attention");
  }

  /** The window in tokens, 0 for none. */
  static int window(Settings settings) {
    if (!settings.flag(Setting.WINDOW_IN_USE, true)) {
      return 0;
    }
    int window = settings.integer(Setting.WINDOW, 0);
    if (window < 0) {
      throw settings.error(
          "the sliding window has " + window + " tokens", "download or convert the model again");
    }
    return window;
  }

  static RopeSpec ropeSpec(Settings settings, Sizes sizes, RopeSpec.Layout layout) {
    int headDim = sizes.headDim();
    double factor = settings.number(Setting.ROTARY_FACTOR, 1);
    int rotaryDim = settings.integer(Setting.ROTARY_DIM, (int) (headDim * factor));
    if (rotaryDim < 2 || rotaryDim > headDim || rotaryDim % 2 != 0) {
      throw settings.error(
          rotaryDim
              + " rotated elements must be even, at least 2 and at most the head's "
              + headDim,
          "download or convert the model again");
    }
    return new RopeSpec(headDim, rotaryDim, layout);
  }

  static ModelConfig.Rope rope(Settings settings, Sizes sizes, RopeSpec.Layout layout) {
    RopeSpec spec = ropeSpec(settings, sizes, layout);
    double base = settings.above(1, Setting.ROPE_BASE, 10_000);
    return new ModelConfig.Rope(spec, base, RopeScalings.read(settings, sizes, spec));
  }

  static ActivationKernel.Function activation(Settings settings, String usual) {
    String name = settings.text(Setting.ACTIVATION, usual);
    return switch (name) {
      case "silu", "swish" -> ActivationKernel.Function.SILU;
      case "gelu" -> ActivationKernel.Function.GELU;
      case "gelu_new", "gelu_pytorch_tanh" -> ActivationKernel.Function.GELU_TANH;
      case "relu" -> ActivationKernel.Function.RELU;
      default ->
          throw settings.error(
              "the activation "
                  + quote(name)
                  + " is unknown; known are silu, gelu, gelu_new, gelu_pytorch_tanh and relu",
              OTHER_MODEL);
    };
  }
}
