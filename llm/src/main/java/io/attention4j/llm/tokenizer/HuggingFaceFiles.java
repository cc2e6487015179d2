package io.attention4j.llm.tokenizer;

import static io.attention4j.llm.format.ModelFormatException.quote;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.safetensors.HuggingFaceFolder;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * The tokenizer files of a Hugging Face folder: {@code tokenizer.json}, which must be there, and
 * {@code tokenizer_config.json}, {@code special_tokens_map.json}, {@code generation_config.json}
 * and {@code config.json}, which may be.
 */
final class HuggingFaceFiles {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  // Gemma's has 33 MB.
  private static final long MAX_BYTES = 256L << 20;
  private static final String AGAIN = "download the file again";

  private final Path folder;
  private final JsonNode tokenizer;
  private final JsonNode config;
  private final JsonNode specialTokensMap;
  private final Map<String, Integer> ids = new HashMap<>();

  /**
   * Reads the files.
   *
   * @throws IOException if a file cannot be read
   * @throws ModelFormatException if one is missing or is no JSON
   */
  HuggingFaceFiles(Path folder) throws IOException {
    this.folder = folder;
    if (!Files.exists(file())) {
      throw new ModelFormatException(
          folder,
          "the folder has no tokenizer.json",
          "download it too, or write it with Hugging Face transformers (AutoTokenizer,"
              + " save_pretrained)");
    }
    if (Files.size(file()) > MAX_BYTES) {
      throw bad(
          "the file has " + Files.size(file()) + " bytes where " + MAX_BYTES + " are allowed");
    }
    try {
      tokenizer = MAPPER.readTree(Files.readString(file()));
    } catch (CharacterCodingException e) {
      throw new ModelFormatException(file(), "the file is not UTF-8", AGAIN, e);
    } catch (JsonProcessingException e) {
      throw new ModelFormatException(
          file(), "the JSON is malformed: " + quote(e.getOriginalMessage()), AGAIN, e);
    }
    config = optional("tokenizer_config.json");
    specialTokensMap = optional("special_tokens_map.json");
  }

  /**
   * A tokenizer.json for the native library: the file without the parts that are done here, since
   * the library ends the JVM on some that are malformed.
   */
  String json() {
    ObjectNode encoding = MAPPER.createObjectNode();
    for (String part : List.of("version", "added_tokens", "normalizer", "pre_tokenizer", "model")) {
      if (tokenizer.has(part)) {
        encoding.set(part, tokenizer.get(part));
      }
    }
    return encoding.toString();
  }

  /**
   * The ids around a text.
   *
   * @throws ModelFormatException if the post-processor is malformed or unknown
   */
  PostProcessor postProcessor(int vocabularySize) {
    try {
      return PostProcessor.of(tokenizer.path("post_processor"), vocabularySize);
    } catch (MalformedException e) {
      throw new ModelFormatException(file(), e.getMessage(), AGAIN, e);
    }
  }

  /** The path of tokenizer.json. */
  Path file() {
    return folder.resolve("tokenizer.json");
  }

  /** An explicit flag of tokenizer_config.json. */
  Optional<Boolean> flag(String name) {
    JsonNode value = config.path(name);
    return value.isBoolean() ? Optional.of(value.booleanValue()) : Optional.empty();
  }

  /**
   * The decoding side of the vocabulary.
   *
   * @throws ModelFormatException if ids are out of range or the decoder is none that this version
   *     knows
   */
  Vocabulary vocabulary() {
    JsonNode model = tokenizer.path("model");
    try {
      EncodingSteps.check(tokenizer);
    } catch (MalformedException e) {
      throw new ModelFormatException(file(), e.getMessage(), "use another file of this model", e);
    }
    Decoder decoder = decoder();
    Map<Integer, String> added = new HashMap<>();
    BitSet special = new BitSet();
    for (JsonNode token : tokenizer.path("added_tokens")) {
      int id = id(token.path("id"), token.path("content").asText());
      added.put(id, token.path("content").asText());
      if (token.path("special").asBoolean(false)) {
        special.set(id);
      }
    }
    List<String> plain = new ArrayList<>();
    List<Integer> plainIds = new ArrayList<>();
    JsonNode vocab = model.path("vocab");
    if (vocab.isArray()) {
      for (int id = 0; id < vocab.size(); id++) {
        plain.add(vocab.get(id).path(0).asText());
        plainIds.add(id);
      }
    } else {
      for (Map.Entry<String, JsonNode> entry : vocab.properties()) {
        plain.add(entry.getKey());
        plainIds.add(id(entry.getValue(), entry.getKey()));
      }
    }
    int last = -1;
    for (int id : plainIds) {
      last = Math.max(last, id);
    }
    for (int id : added.keySet()) {
      last = Math.max(last, id);
    }
    // A hostile id must not make a table that the file does not pay for.
    if (last >= 2L * (plain.size() + added.size()) + 65_536) {
      throw bad("token id " + last + " is far above the number of its tokens");
    }
    byte[][] pieces = new byte[last + 1][];
    for (int i = 0; i < plain.size(); i++) {
      pieces[plainIds.get(i)] = decoder.bytes(plain.get(i));
      ids.putIfAbsent(plain.get(i), plainIds.get(i));
    }
    String unknown = model.path("unk_token").asText("");
    if (!model.path("unk_token").isNull() && !unknown.isEmpty() && !ids.containsKey(unknown)) {
      throw bad("its unknown token " + quote(unknown) + " is not in the vocabulary");
    }
    Map<String, Integer> addedTokens = new HashMap<>();
    added.forEach(
        (id, content) -> {
          pieces[id] = content.getBytes(StandardCharsets.UTF_8);
          addedTokens.put(content, id);
          ids.put(content, id);
        });
    return new Vocabulary(pieces, special, addedTokens, decoder.stripsLeadingSpace());
  }

  /** The id of a role such as "bos_token"; call after {@link #vocabulary()}. */
  OptionalInt role(String name) {
    for (JsonNode file : List.of(config, specialTokensMap)) {
      JsonNode value = file.path(name);
      String content = value.isObject() ? value.path("content").asText("") : value.asText("");
      Integer id = ids.get(content);
      if (id != null) {
        return OptionalInt.of(id);
      }
    }
    return OptionalInt.empty();
  }

  /** Ids that generation_config.json or config.json lists as ends. */
  Set<Integer> endIds() throws IOException {
    Set<Integer> ends = new HashSet<>();
    for (String file : List.of("generation_config.json", "config.json")) {
      JsonNode value = optional(file).path("eos_token_id");
      if (value.isInt()) {
        ends.add(value.intValue());
      }
      for (JsonNode id : value) {
        if (id.isInt()) {
          ends.add(id.intValue());
        }
      }
    }
    return ends;
  }

  /** How pieces become bytes. */
  private record Decoder(boolean byteLevel, boolean byteFallback, boolean stripsLeadingSpace) {
    byte[] bytes(String piece) {
      if (byteLevel) {
        return ByteLevelAlphabet.bytes(piece);
      }
      int value = byteFallback ? GgufVocabulary.byteValue(piece) : -1;
      return value >= 0
          ? new byte[] {(byte) value}
          : piece.replace(GgufVocabulary.SPACE_MARK, ' ').getBytes(StandardCharsets.UTF_8);
    }
  }

  private Decoder decoder() {
    boolean byteLevel = false;
    boolean byteFallback = false;
    boolean strips = false;
    boolean marks = false;
    for (JsonNode step : decoderSteps()) {
      String type = step.path("type").asText("none");
      switch (type) {
        case "ByteLevel" -> byteLevel = true;
        case "ByteFallback" -> byteFallback = true;
        case "Fuse" -> {}
        case "Strip" -> strips |= step.path("start").asInt(0) > 0;
        case "Replace" -> {
          if (!step.path("pattern").path("String").asText().equals(mark())
              || !step.path("content").asText().equals(" ")) {
            throw bad("its decoder replaces something other than " + mark() + " by a space");
          }
          marks = true;
        }
        case "Metaspace" -> {
          marks = true;
          strips |=
              !step.path("prepend_scheme").asText("always").equals("never")
                  && step.path("add_prefix_space").asBoolean(true);
        }
        default ->
            throw bad(
                "its decoder is "
                    + quote(type)
                    + " where this version knows ByteLevel, Metaspace, and sequences of Replace,"
                    + " ByteFallback, Fuse and Strip");
      }
    }
    if (byteLevel == marks) {
      throw bad("its decoder is neither byte-level nor SentencePiece's");
    }
    return new Decoder(byteLevel, byteFallback, strips);
  }

  private List<JsonNode> decoderSteps() {
    JsonNode decoder = tokenizer.path("decoder");
    if (!decoder.path("type").asText().equals("Sequence")) {
      return List.of(decoder);
    }
    List<JsonNode> steps = new ArrayList<>();
    decoder.path("decoders").forEach(steps::add);
    return steps;
  }

  private static String mark() {
    return String.valueOf(GgufVocabulary.SPACE_MARK);
  }

  private int id(JsonNode value, String token) {
    if (!value.isInt() || value.intValue() < 0) {
      throw bad("the token " + quote(token) + " has the id " + value + ", which is no index");
    }
    return value.intValue();
  }

  private JsonNode optional(String name) throws IOException {
    return HuggingFaceFolder.readJson(folder.resolve(name)).orElse(MissingNode.getInstance());
  }

  private ModelFormatException bad(String problem) {
    return new ModelFormatException(file(), problem, "use another file of this model");
  }
}
