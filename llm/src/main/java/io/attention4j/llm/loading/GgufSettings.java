package io.attention4j.llm.loading;

import static io.attention4j.llm.format.ModelFormatException.quote;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.architecture.Setting;
import io.attention4j.llm.architecture.Settings;
import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.format.TensorSource;
import io.attention4j.llm.gguf.GgufMetadata;
import io.attention4j.llm.gguf.GgufType;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** Settings from GGUF metadata. */
final class GgufSettings implements Settings {
  private static final int MAX_VECTOR = 1 << 16;

  private final Path path;
  private final GgufMetadata metadata;
  private final String prefix;
  private final TensorSource tensors;
  private final int vocabularySize;

  GgufSettings(
      Path path,
      GgufMetadata metadata,
      String architecture,
      TensorSource tensors,
      int vocabularySize) {
    this.path = path;
    this.metadata = metadata;
    this.prefix = architecture + ".";
    this.tensors = tensors;
    this.vocabularySize = vocabularySize;
  }

  private String key(Setting setting) {
    return prefix + setting.gguf();
  }

  @Override
  public Format format() {
    return Format.GGUF;
  }

  @Override
  public String name(Setting setting) {
    return quote(setting.gguf().isEmpty() ? setting.toString() : key(setting));
  }

  @Override
  public boolean has(Setting setting) {
    return !setting.gguf().isEmpty() && metadata.contains(key(setting));
  }

  /** Some converters write one value per layer; a decoder whose layers differ is not known here. */
  @Override
  public int integer(Setting setting) {
    String key = key(setting);
    if (!has(setting) || metadata.type(key) != GgufType.ARRAY) {
      return metadata.int32(key);
    }
    int[] values = metadata.int32s(key);
    for (int value : values) {
      if (value != values[0]) {
        throw error(
            "the metadata key " + quote(key) + " differs from layer to layer, which cannot be run",
            "use another model");
      }
    }
    if (values.length == 0) {
      throw error("the metadata key " + quote(key) + " is empty", "convert the model again");
    }
    return values[0];
  }

  @Override
  public double number(Setting setting) {
    String key = key(setting);
    double value =
        has(setting) && metadata.type(key).isInteger()
            ? metadata.int64(key)
            : metadata.float32(key);
    if (!Double.isFinite(value)) {
      throw error("the metadata key " + quote(key) + " is " + value, "convert the model again");
    }
    return value;
  }

  @Override
  public String text(Setting setting) {
    return metadata.string(key(setting));
  }

  @Override
  public boolean flag(Setting setting) {
    return metadata.bool(key(setting));
  }

  @Override
  public List<String> texts(Setting setting) {
    return has(setting) ? metadata.strings(key(setting)) : List.of();
  }

  @Override
  public List<Double> numbers(Setting setting) {
    return List.of();
  }

  @Override
  public Optional<float[]> vector(String tensorName) {
    Optional<Tensor> tensor = tensors.find(tensorName);
    if (tensor.isEmpty()) {
      return Optional.empty();
    }
    Tensor found = tensor.get();
    long elements = found.shape().elements();
    if (found.dtype() != DType.F32 || elements > MAX_VECTOR) {
      throw error(
          "the tensor "
              + quote(tensorName)
              + " is "
              + found
              + " where a short F32 vector is expected",
          "convert the model again");
    }
    float[] values = new float[(int) elements];
    MemorySegment.copy(found.segment(), Tensor.FLOAT, 0, values, 0, values.length);
    return Optional.of(values);
  }

  @Override
  public int vocabularySize() {
    return vocabularySize;
  }

  @Override
  public ModelFormatException error(String problem, String remedy) {
    return new ModelFormatException(path, problem, remedy);
  }
}
