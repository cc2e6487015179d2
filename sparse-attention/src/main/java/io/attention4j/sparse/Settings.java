package io.attention4j.sparse;

import io.attention4j.engine.operator.OptionSpec;

/** Settings that selectors share, and the sentences that refuse bad ones. */
final class Settings {
  /** Rows per block where the mask decides token by token; any number gives the same result. */
  static final int MASKED_QUERY_BLOCK = 64;

  /** Keys per block there: a key tile of the CPU kernels. */
  static final int MASKED_KEY_BLOCK = 128;

  /** More tokens than any context, and far from overflow. */
  static final int MOST = 1 << 30;

  private Settings() {}

  /** An integer setting in min .. 2^30. */
  static int integer(OptionSpec option, String key, int defaultValue, int min) {
    String text = option.values().get(key);
    if (text == null) {
      return defaultValue;
    }
    try {
      long value = Long.parseLong(text);
      require(option.name(), key, value, min);
      return (int) value;
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "'" + option.name() + "' setting " + key + "=" + text + " is not an integer", e);
    }
  }

  /** A setting that is true or false, false where the option does not say. */
  static boolean flag(OptionSpec option, String key) {
    String text = option.text(key, "false");
    if (!text.equals("true") && !text.equals("false")) {
      throw new IllegalArgumentException(
          "'" + option.name() + "' setting " + key + "=" + text + " must be true or false");
    }
    return text.equals("true");
  }

  /** Refuses a value outside min .. 2^30. */
  static void require(String id, String key, long value, int min) {
    require(id, key, value, min, MOST);
  }

  /** Refuses a value outside min .. max. */
  static void require(String id, String key, long value, int min, int max) {
    if (value >= min && value <= max) {
      return;
    }
    throw new IllegalArgumentException(
        "'"
            + id
            + "' setting "
            + key
            + "="
            + value
            + " is outside "
            + min
            + ".."
            + max
            + "; write "
            + key
            + "="
            + (value < min ? min + " or more" : max + " or less"));
  }
}
