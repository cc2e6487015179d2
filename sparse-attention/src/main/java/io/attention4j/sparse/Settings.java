package io.attention4j.sparse;

import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OptionSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

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
    return flag(option, key, false);
  }

  /** A setting that is true or false. */
  static boolean flag(OptionSpec option, String key, boolean defaultValue) {
    String text = option.text(key, Boolean.toString(defaultValue));
    if (!text.equals("true") && !text.equals("false")) {
      throw new IllegalArgumentException(
          "'" + option.name() + "' setting " + key + "=" + text + " must be true or false");
    }
    return text.equals("true");
  }

  /** A number in 0 .. max. */
  static double number(OptionSpec option, String key, double defaultValue, int max) {
    String text = option.values().get(key);
    if (text == null) {
      return defaultValue;
    }
    try {
      double value = Double.parseDouble(text);
      requireNumber(option.name(), key, value, max);
      return value;
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "'" + option.name() + "' setting " + key + "=" + text + " is not a number", e);
    }
  }

  /** Refuses a number outside 0 .. max. */
  static void requireNumber(String id, String key, double value, int max) {
    if (!(value >= 0 && value <= max)) {
      throw new IllegalArgumentException(
          "'"
              + id
              + "' setting "
              + key
              + "="
              + value
              + " is outside 0.."
              + max
              + "; write "
              + key
              + "="
              + (value > max ? max + " or less" : "0 or more"));
    }
  }

  /** A setting that is one of an enum's names, in lower case. */
  static <E extends Enum<E>> E choice(OptionSpec option, String key, E defaultValue) {
    String text = option.values().get(key);
    if (text == null) {
      return defaultValue;
    }
    List<String> names = new ArrayList<>();
    for (E value : defaultValue.getDeclaringClass().getEnumConstants()) {
      String name = value.name().toLowerCase(Locale.ROOT);
      if (name.equals(text)) {
        return value;
      }
      names.add(name);
    }
    throw new IllegalArgumentException(
        "'" + option.name() + "' setting " + key + "=" + text + " is none of " + names);
  }

  /** Refuses a value outside min .. 2^30. */
  static void require(String id, String key, long value, int min) {
    require(id, key, value, min, MOST);
  }

  /**
   * Refuses more blocks than the longest sequence of a layer has. A default may be more: it is then
   * dense.
   */
  static void requireBlocks(String id, int k, int defaultValue, int block, LayerShape shape) {
    int blocks = Math.ceilDiv(shape.maxPositions(), block);
    if (k > blocks && k != defaultValue) {
      throw new IllegalArgumentException(
          "'"
              + id
              + "' setting k="
              + k
              + " is above the "
              + blocks
              + " blocks of "
              + block
              + " tokens that a context of "
              + shape.maxPositions()
              + " has; write k="
              + blocks
              + " or less, or a smaller block");
    }
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
