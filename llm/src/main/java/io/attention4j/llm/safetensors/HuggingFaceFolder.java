package io.attention4j.llm.safetensors;

import static io.attention4j.llm.format.ModelFormatException.quote;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.format.TensorSource;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A model as Hugging Face lays it out: a folder with {@code config.json} and {@code
 * model.safetensors}, or {@code model.safetensors.index.json} and its shards. Nothing is
 * downloaded.
 *
 * <p>Closing unmaps the weights.
 */
public final class HuggingFaceFolder implements AutoCloseable {
  private static final String CONFIG = "config.json";
  private static final String SINGLE = "model.safetensors";
  private static final String INDEX = "model.safetensors.index.json";
  private static final long MAX_JSON_BYTES = 16L << 20;

  // Python writes Infinity and NaN into configurations.
  private static final JsonMapper JSON =
      JsonMapper.builder(SafetensorsHeader.JSON)
          .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
          .enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private final Path folder;
  private final JsonNode config;
  private final SafetensorsFile weights;

  private HuggingFaceFolder(Path folder, JsonNode config, SafetensorsFile weights) {
    this.folder = folder;
    this.config = config;
    this.weights = weights;
  }

  /** Whether the path is a folder with a {@code config.json}. */
  public static boolean isAt(Path path) {
    return Files.isRegularFile(path.resolve(CONFIG));
  }

  /**
   * Opens a folder; {@code model.safetensors} is taken before an index, as transformers does.
   *
   * @throws ModelFormatException if a file is missing or bad; nothing stays mapped
   * @throws IOException if the system cannot read a file
   */
  public static HuggingFaceFolder open(Path folder) throws IOException {
    JsonNode config =
        readJson(folder.resolve(CONFIG))
            .orElseThrow(
                () ->
                    new ModelFormatException(
                        folder,
                        "the folder has no " + CONFIG,
                        "name a folder in Hugging Face layout or a .gguf file"));
    Path weights = folder.resolve(SINGLE);
    if (!Files.exists(weights)) {
      weights = folder.resolve(INDEX);
    }
    if (!Files.exists(weights)) {
      throw new ModelFormatException(
          folder,
          "the folder has neither " + SINGLE + " nor " + INDEX,
          "download the safetensors files of the model; PyTorch .bin files cannot be read");
    }
    return new HuggingFaceFolder(folder, config, SafetensorsFile.open(weights));
  }

  /**
   * Parses a JSON object such as {@code config.json} or {@code tokenizer_config.json}; empty if
   * there is no such file.
   *
   * @throws ModelFormatException if it is larger than 16 MiB, malformed, has a key twice or is not
   *     an object
   */
  public static Optional<JsonNode> readJson(Path file) throws IOException {
    if (!Files.exists(file)) {
      return Optional.empty();
    }
    if (Files.size(file) > MAX_JSON_BYTES) {
      throw new ModelFormatException(
          file,
          "the file has " + Files.size(file) + " bytes where " + MAX_JSON_BYTES + " are allowed",
          "check that it is the model's own");
    }
    JsonNode node;
    try (InputStream in = Files.newInputStream(file)) {
      node = JSON.readTree(in);
    } catch (JsonProcessingException malformed) {
      JsonLocation location = malformed.getLocation(); // null for a key that occurs twice
      throw new ModelFormatException(
          file,
          "the JSON is malformed"
              + (location == null ? "" : " at line " + location.getLineNr())
              + ": the parser says "
              + quote(malformed.getOriginalMessage()),
          "download the file again",
          malformed);
    }
    if (!(node instanceof ObjectNode)) {
      throw new ModelFormatException(
          file, "the file does not hold a JSON object", "download the file again");
    }
    return Optional.of(node);
  }

  /** The folder. */
  public Path path() {
    return folder;
  }

  /** Content of {@code config.json}, a JSON object; do not modify. */
  public JsonNode config() {
    return config;
  }

  /** The weights; closed with this folder. */
  public TensorSource weights() {
    return weights;
  }

  @Override
  public void close() {
    weights.close();
  }
}
