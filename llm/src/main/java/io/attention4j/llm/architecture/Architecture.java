package io.attention4j.llm.architecture;

import java.util.Set;

/** A family of models: how its files are to be read. Stateless. */
public interface Architecture {
  /** Name in GGUF's general.architecture. */
  String id();

  /** Names in config.json's model_type. */
  Set<String> modelTypes();

  /**
   * The decoder's settings.
   *
   * @throws io.attention4j.llm.format.ModelFormatException if the file asks for something that
   *     cannot be run; says what
   */
  ModelConfig config(Settings settings);

  /** Names of the weights in files of a format. */
  default WeightNames names(Settings.Format format) {
    return WeightNames.standard(format);
  }
}
