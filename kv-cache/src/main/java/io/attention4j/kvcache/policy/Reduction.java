package io.attention4j.kvcache.policy;

import io.attention4j.engine.operator.OptionSpec;

/** How many votes become one. */
public enum Reduction {
  /** Their mean, or their sum where only the order counts. */
  MEAN,
  /** The highest. */
  MAX;

  /** The setting {@code max} (the default) or {@code mean}. */
  static Reduction of(OptionSpec option, String key) {
    String text = option.text(key, "max");
    return switch (text) {
      case "max" -> MAX;
      case "mean" -> MEAN;
      default ->
          throw new IllegalArgumentException(
              "'" + option.name() + "' setting " + key + "=" + text + " is not max or mean");
    };
  }
}
