package io.attention4j.llm.architecture;

import static io.attention4j.llm.format.ModelFormatException.quote;

import io.attention4j.engine.spi.RopeSpec;
import io.attention4j.llm.architecture.ModelConfig.Sizes;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Reads how a rotation was stretched. */
final class RopeScalings {
  private RopeScalings() {}

  static RopeScaling read(Settings settings, Sizes sizes, RopeSpec spec) {
    RopeScaling fromTensors = ggufDivisors(settings, sizes, spec);
    if (fromTensors != null) {
      return fromTensors;
    }
    String type = settings.text(Setting.ROPE_SCALING, "none");
    return switch (type) {
      case "none", "default" -> new RopeScaling.None();
      case "linear" -> new RopeScaling.Linear(factor(settings));
      case "llama3" ->
          new RopeScaling.Llama3(
              factor(settings),
              positive(settings, Setting.ROPE_LOW_FREQUENCY),
              positive(settings, Setting.ROPE_HIGH_FREQUENCY),
              originalContext(settings, sizes));
      case "yarn" -> yarn(settings, sizes);
      case "longrope", "su" -> longRope(settings, sizes, spec);
      default ->
          throw settings.error(
              "the rope scaling "
                  + quote(type)
                  + " is unknown; known are none, linear, llama3, yarn and longrope",
              "use another model or file");
    };
  }

  private static RopeScaling yarn(Settings settings, Sizes sizes) {
    double factor = factor(settings);
    double usual = 1 + 0.1 * Math.log(Math.max(1, factor));
    // GGUF's value comes on top of the paper's; config.json's stands in its place.
    double attention =
        settings.isGguf()
            ? settings.above(0, Setting.ROPE_ATTENTION_FACTOR, 1) * usual
            : settings.above(0, Setting.ROPE_ATTENTION_FACTOR, usual);
    return new RopeScaling.Yarn(
        factor,
        originalContext(settings, sizes),
        settings.above(0, Setting.YARN_BETA_FAST, 32),
        settings.above(0, Setting.YARN_BETA_SLOW, 1),
        settings.flag(Setting.YARN_TRUNCATE, true),
        attention);
  }

  private static RopeScaling longRope(Settings settings, Sizes sizes, RopeSpec spec) {
    int original = originalContext(settings, sizes);
    double stretch = (double) sizes.contextTokens() / original;
    double usual = stretch <= 1 ? 1 : Math.sqrt(1 + Math.log(stretch) / Math.log(original));
    return new RopeScaling.Divisors(
        divisors(settings, settings.numbers(Setting.LONGROPE_SHORT), spec, "short_factor"),
        divisors(settings, settings.numbers(Setting.LONGROPE_LONG), spec, "long_factor"),
        original,
        settings.above(0, Setting.ROPE_ATTENTION_FACTOR, usual));
  }

  /** GGUF stores the divisors of llama3 and LongRoPE as tensors. */
  private static RopeScaling ggufDivisors(Settings settings, Sizes sizes, RopeSpec spec) {
    if (!settings.isGguf()) {
      return null;
    }
    Optional<float[]> frequencies = settings.vector("rope_freqs.weight");
    if (frequencies.isPresent()) {
      List<Double> list = divisors(settings, list(frequencies.get()), spec, "rope_freqs.weight");
      return new RopeScaling.Divisors(list, list, sizes.contextTokens(), 1);
    }
    Optional<float[]> shorts = settings.vector("rope_factors_short.weight");
    Optional<float[]> longs = settings.vector("rope_factors_long.weight");
    if (shorts.isEmpty() || longs.isEmpty()) {
      return null;
    }
    return new RopeScaling.Divisors(
        divisors(settings, list(shorts.get()), spec, "rope_factors_short.weight"),
        divisors(settings, list(longs.get()), spec, "rope_factors_long.weight"),
        originalContext(settings, sizes),
        settings.above(0, Setting.ROPE_ATTENTION_FACTOR, 1));
  }

  private static List<Double> list(float[] values) {
    List<Double> list = new ArrayList<>(values.length);
    for (float value : values) {
      list.add((double) value);
    }
    return list;
  }

  private static List<Double> divisors(
      Settings settings, List<Double> values, RopeSpec spec, String name) {
    if (values.size() != spec.rotaryDim() / 2) {
      throw settings.error(
          name
              + " has "
              + values.size()
              + " values where "
              + spec.rotaryDim() / 2
              + " are needed, one per rotated pair",
          "download or convert the model again");
    }
    for (double value : values) {
      if (!(value > 0) || value == Double.POSITIVE_INFINITY) {
        throw settings.error(
            name + " has the value " + value + ", which must be positive",
            "download or convert the model again");
      }
    }
    return values;
  }

  private static double factor(Settings settings) {
    return positive(settings, Setting.ROPE_FACTOR);
  }

  private static double positive(Settings settings, Setting setting) {
    return settings.above(0, setting, settings.number(setting));
  }

  private static int originalContext(Settings settings, Sizes sizes) {
    int tokens = settings.integer(Setting.ROPE_ORIGINAL_CONTEXT, sizes.contextTokens());
    if (tokens < 2) {
      throw settings.error(
          "the original context has " + tokens + " tokens", "download or convert the model again");
    }
    return tokens;
  }
}
