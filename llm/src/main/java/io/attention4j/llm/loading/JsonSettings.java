package io.attention4j.llm.loading;

import static io.attention4j.llm.format.ModelFormatException.quote;

import com.fasterxml.jackson.databind.JsonNode;
import io.attention4j.llm.architecture.Setting;
import io.attention4j.llm.architecture.Settings;
import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.safetensors.HuggingFaceFolder;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Settings from config.json; of a multimodal model those of its text part. */
final class JsonSettings implements Settings {
  private static final long MAX_TEMPLATE_BYTES = 1 << 20;

  private final Path path;
  private final JsonNode outer;
  private final JsonNode config;
  private final int vocabularySize;

  JsonSettings(Path path, JsonNode config, int vocabularySize) {
    this.path = path;
    this.outer = config;
    JsonNode text = config.path("text_config");
    this.config = text.isObject() ? text : config;
    this.vocabularySize = vocabularySize;
  }

  /** The template of a folder: chat_template.jinja, or the one in tokenizer_config.json. */
  static Optional<String> chatTemplate(Path folder) throws IOException {
    Path file = folder.resolve("chat_template.jinja");
    if (Files.isRegularFile(file)) {
      if (Files.size(file) > MAX_TEMPLATE_BYTES) {
        throw new ModelFormatException(
            file, "the template has more than " + MAX_TEMPLATE_BYTES + " bytes", "check the file");
      }
      return Optional.of(new String(Files.readAllBytes(file), StandardCharsets.UTF_8));
    }
    JsonNode template =
        HuggingFaceFolder.readJson(folder.resolve("tokenizer_config.json"))
            .map(node -> node.path("chat_template"))
            .orElse(null);
    if (template == null) {
      return Optional.empty();
    }
    if (template.isTextual()) {
      return Optional.of(template.textValue());
    }
    for (JsonNode named : template) { // a list of named ones, "default" for chat
      if (named.path("name").asText().equals("default") && named.path("template").isTextual()) {
        return Optional.of(named.path("template").textValue());
      }
    }
    return Optional.empty();
  }

  String modelType() {
    JsonNode type = config.path("model_type");
    if (!type.isTextual()) {
      type = outer.path("model_type");
    }
    if (!type.isTextual()) {
      throw error("config.json has no model_type", "download the model again");
    }
    return type.textValue();
  }

  private JsonNode node(Setting setting) {
    for (String name : setting.huggingFace()) {
      JsonNode node = config;
      for (String part : name.split("\\.")) {
        node = node.path(part);
      }
      if (!node.isMissingNode() && !node.isNull()) {
        return node;
      }
    }
    return null;
  }

  private JsonNode required(Setting setting) {
    JsonNode node = node(setting);
    if (node == null) {
      throw error(
          "config.json has no "
              + (setting.huggingFace().getFirst().isEmpty()
                  ? "setting " + setting
                  : quote(setting.huggingFace().getFirst())),
          "download the model again");
    }
    return node;
  }

  private ModelFormatException wrong(Setting setting, String expected, JsonNode found) {
    return error(
        "config.json has "
            + quote(found.toString())
            + " for "
            + quote(setting.huggingFace().getFirst())
            + " where "
            + expected
            + " is expected",
        "download the model again");
  }

  @Override
  public Format format() {
    return Format.HUGGING_FACE;
  }

  @Override
  public String name(Setting setting) {
    String name = setting.huggingFace().getFirst();
    return quote(name.isEmpty() ? setting.toString() : name);
  }

  @Override
  public boolean has(Setting setting) {
    return node(setting) != null;
  }

  @Override
  public int integer(Setting setting) {
    JsonNode node = required(setting);
    if (!node.canConvertToExactIntegral() || !node.canConvertToInt()) {
      throw wrong(setting, "an integer of 32 bits", node);
    }
    return node.intValue();
  }

  @Override
  public double number(Setting setting) {
    JsonNode node = required(setting);
    if (!node.isNumber() || !Double.isFinite(node.doubleValue())) {
      throw wrong(setting, "a finite number", node);
    }
    return node.doubleValue();
  }

  @Override
  public String text(Setting setting) {
    JsonNode node = required(setting);
    if (!node.isTextual()) {
      throw wrong(setting, "a text", node);
    }
    return node.textValue();
  }

  @Override
  public boolean flag(Setting setting) {
    JsonNode node = required(setting);
    if (!node.isBoolean()) {
      throw wrong(setting, "true or false", node);
    }
    return node.booleanValue();
  }

  @Override
  public List<String> texts(Setting setting) {
    List<String> texts = new ArrayList<>();
    for (JsonNode item : list(setting)) {
      if (!item.isTextual()) {
        throw wrong(setting, "a list of texts", item);
      }
      texts.add(item.textValue());
    }
    return texts;
  }

  @Override
  public List<Double> numbers(Setting setting) {
    List<Double> numbers = new ArrayList<>();
    for (JsonNode item : list(setting)) {
      if (!item.isNumber()) {
        throw wrong(setting, "a list of numbers", item);
      }
      numbers.add(item.doubleValue());
    }
    return numbers;
  }

  private Iterable<JsonNode> list(Setting setting) {
    JsonNode node = node(setting);
    if (node == null) {
      return List.of();
    }
    if (!node.isArray()) {
      throw wrong(setting, "a list", node);
    }
    return node;
  }

  @Override
  public Optional<float[]> vector(String tensorName) {
    return Optional.empty();
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
