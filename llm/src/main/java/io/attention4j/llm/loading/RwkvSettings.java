package io.attention4j.llm.loading;

import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.architecture.Setting;
import io.attention4j.llm.architecture.Settings;
import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.rwkv.RwkvFile;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Settings of a file of rwkv.cpp: its header, and what shapes of tensors say. */
final class RwkvSettings implements Settings {
  private final RwkvFile file;
  private final Map<Setting, Integer> values;

  RwkvSettings(RwkvFile file) {
    this.file = file;
    values =
        Map.of(
            Setting.MODEL_DIM, file.modelDim(),
            Setting.LAYERS, file.layers(),
            Setting.WKV_HEAD_DIM, (int) file.tensor("blk.0.time_mix_r_k.weight").extent(-1),
            Setting.FEED_FORWARD_DIM, feedForwardDim(file));
  }

  private static int feedForwardDim(RwkvFile file) {
    Tensor key = file.tensor("blk.0.channel_mix_key.weight");
    return (int) key.extent(0);
  }

  /** Tensors have GGUF's names and conventions. */
  @Override
  public Format format() {
    return Format.GGUF;
  }

  @Override
  public String name(Setting setting) {
    return setting.toString();
  }

  @Override
  public boolean has(Setting setting) {
    return values.containsKey(setting);
  }

  @Override
  public int integer(Setting setting) {
    Integer value = values.get(setting);
    if (value == null) {
      throw error("the file has no setting " + setting, "use a GGUF file of the model");
    }
    return value;
  }

  @Override
  public double number(Setting setting) {
    return integer(setting);
  }

  @Override
  public String text(Setting setting) {
    throw error("the file has no text " + setting, "use a GGUF file of the model");
  }

  @Override
  public boolean flag(Setting setting) {
    throw error("the file has no flag " + setting, "use a GGUF file of the model");
  }

  @Override
  public List<String> texts(Setting setting) {
    return List.of();
  }

  @Override
  public List<Double> numbers(Setting setting) {
    return List.of();
  }

  @Override
  public Optional<float[]> vector(String tensorName) {
    return Optional.empty();
  }

  @Override
  public int vocabularySize() {
    return file.vocabulary();
  }

  @Override
  public ModelFormatException error(String problem, String remedy) {
    return new ModelFormatException(file.path(), problem, remedy);
  }
}
