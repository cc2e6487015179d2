package io.attention4j.engine.operator;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A parsed option {@code NAME[:key=value;key=value]}, the grammar that the command line, system
 * properties and the API share.
 *
 * @param name the part before the colon, not empty
 * @param values keys with their values, in the order given
 */
public record OptionSpec(String name, Map<String, String> values) {
  /** Copies the map. */
  public OptionSpec {
    values = Map.copyOf(values);
  }

  /**
   * Parses one option.
   *
   * @throws IllegalArgumentException if the text does not follow the grammar; quotes it
   */
  public static OptionSpec parse(String text) {
    int colon = text.indexOf(':');
    String name = colon < 0 ? text : text.substring(0, colon);
    if (name.isBlank() || !name.equals(name.strip())) {
      throw new IllegalArgumentException(
          "option '" + text + "' has no name; write NAME or NAME:key=value;key=value");
    }
    Map<String, String> values = new LinkedHashMap<>();
    if (colon >= 0) {
      for (String pair : text.substring(colon + 1).split(";", -1)) {
        int equals = pair.indexOf('=');
        if (equals <= 0) {
          throw new IllegalArgumentException(
              "'" + pair + "' in option '" + text + "' is not key=value");
        }
        String key = pair.substring(0, equals);
        if (values.put(key, pair.substring(equals + 1)) != null) {
          throw new IllegalArgumentException("option '" + text + "' gives '" + key + "' twice");
        }
      }
    }
    return new OptionSpec(name, values);
  }

  /**
   * Refuses keys that are not in the list.
   *
   * @throws IllegalArgumentException naming the unknown key and the known ones
   */
  public OptionSpec allow(String... keys) {
    Set<String> known = Set.of(keys);
    for (String key : values.keySet()) {
      if (!known.contains(key)) {
        throw new IllegalArgumentException(
            "'"
                + name
                + "' has no setting '"
                + key
                + "'; "
                + (keys.length == 0 ? "it has none" : "known are " + List.of(keys)));
      }
    }
    return this;
  }

  /** The integer of a key, or the default; checks the range. */
  public int integer(String key, int defaultValue, int min, int max) {
    String text = values.get(key);
    if (text == null) {
      return defaultValue;
    }
    try {
      int value = Integer.parseInt(text);
      if (value >= min && value <= max) {
        return value;
      }
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "'" + name + "' setting " + key + "=" + text + " is not an integer", e);
    }
    throw new IllegalArgumentException(
        "'" + name + "' setting " + key + "=" + text + " is outside " + min + ".." + max);
  }

  /** The number of a key, or the default; checks the range. */
  public double number(String key, double defaultValue, double min, double max) {
    String text = values.get(key);
    if (text == null) {
      return defaultValue;
    }
    try {
      double value = Double.parseDouble(text);
      if (value >= min && value <= max) {
        return value;
      }
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "'" + name + "' setting " + key + "=" + text + " is not a number", e);
    }
    throw new IllegalArgumentException(
        "'" + name + "' setting " + key + "=" + text + " is outside " + min + ".." + max);
  }

  /** The text of a key, or the default. */
  public String text(String key, String defaultValue) {
    return values.getOrDefault(key, defaultValue);
  }

  @Override
  public String toString() {
    List<String> pairs = new ArrayList<>();
    values.forEach((key, value) -> pairs.add(key + "=" + value));
    return pairs.isEmpty() ? name : name + ":" + String.join(";", pairs);
  }
}
