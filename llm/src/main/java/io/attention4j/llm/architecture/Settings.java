package io.attention4j.llm.architecture;

import io.attention4j.llm.format.ModelFormatException;
import java.util.List;
import java.util.Optional;

/**
 * What a model file says about itself, whatever its format. Getters without a fallback throw {@link
 * ModelFormatException} if the setting is absent, and all do if it has another type.
 */
public interface Settings {
  /** Where settings come from; files of one architecture differ by it in a few conventions. */
  enum Format {
    /** A GGUF file. */
    GGUF,
    /** A folder with config.json and safetensors. */
    HUGGING_FACE
  }

  /** Format of the file. */
  Format format();

  /** The setting's name in this file, for messages. */
  String name(Setting setting);

  /** Whether the setting is there. */
  boolean has(Setting setting);

  /** An integer. */
  int integer(Setting setting);

  /** A finite number. */
  double number(Setting setting);

  /** A text. */
  String text(Setting setting);

  /** A truth value. */
  boolean flag(Setting setting);

  /** A list of texts; empty if absent. */
  List<String> texts(Setting setting);

  /** A list of numbers; empty if absent. */
  List<Double> numbers(Setting setting);

  /** Values of a small F32 tensor that is a setting in disguise, such as GGUF's rope_freqs. */
  Optional<float[]> vector(String tensorName);

  /** Rows of the token embedding. */
  int vocabularySize();

  /** An error about this file: what is wrong and what to do. */
  ModelFormatException error(String problem, String remedy);

  /** An integer, or the fallback if it is absent. */
  default int integer(Setting setting, int fallback) {
    return has(setting) ? integer(setting) : fallback;
  }

  /** An integer of at least 1, or the fallback if it is absent. */
  default int positive(Setting setting, int fallback) {
    int value = integer(setting, fallback);
    if (value < 1) {
      throw error(
          "the setting " + name(setting) + " is " + value + ", which must be at least 1",
          "download or convert the model again");
    }
    return value;
  }

  /** A number above a bound, or the fallback if it is absent. */
  default double above(double bound, Setting setting, double fallback) {
    double value = number(setting, fallback);
    if (!(value > bound)) {
      throw error(
          "the setting " + name(setting) + " is " + value + ", which must be above " + bound,
          "download or convert the model again");
    }
    return value;
  }

  /** A number, or the fallback if it is absent. */
  default double number(Setting setting, double fallback) {
    return has(setting) ? number(setting) : fallback;
  }

  /** A text, or the fallback if it is absent. */
  default String text(Setting setting, String fallback) {
    return has(setting) ? text(setting) : fallback;
  }

  /** A truth value, or the fallback if it is absent. */
  default boolean flag(Setting setting, boolean fallback) {
    return has(setting) ? flag(setting) : fallback;
  }

  /** Whether this is a GGUF file. */
  default boolean isGguf() {
    return format() == Format.GGUF;
  }
}
