package io.attention4j.llm.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.attention4j.llm.format.SharedFiles;
import io.attention4j.llm.gguf.GgufFile;
import io.attention4j.llm.gguf.GgufMetadata;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Real vocabularies of the shared folder as GGUF metadata. */
final class Vocabularies {
  private static final String KEYS = "tokenizer.ggml.";

  private Vocabularies() {}

  /** The metadata of one of the four case sets: gpt-2, llama-spm, llama-bpe or qwen2. */
  static MapMetadata caseSet(String name) throws IOException {
    return switch (name) {
      case "llama-bpe" -> llama3();
      case "qwen2" -> qwen2();
      default -> gguf(SharedFiles.require("data/tokenizers/ggml-vocab-" + name + ".gguf"));
    };
  }

  /** A text and its ids. */
  record Case(String text, int[] ids) {}

  static List<Case> cases(String name) throws IOException {
    Path file = SharedFiles.require("data/tokenizers/ggml-vocab-" + name + ".gguf.cases.json");
    List<Case> cases = new ArrayList<>();
    for (JsonNode node : new ObjectMapper().readTree(file.toFile())) {
      int[] ids = new int[node.get("ids").size()];
      for (int i = 0; i < ids.length; i++) {
        ids[i] = node.get("ids").get(i).intValue();
      }
      cases.add(new Case(node.get("text").textValue(), ids));
    }
    return cases;
  }

  /** The tokenizer's metadata in a GGUF file. */
  static MapMetadata gguf(Path path) throws IOException {
    Map<String, Object> values = new HashMap<>();
    try (GgufFile file = GgufFile.open(path)) {
      GgufMetadata metadata = file.metadata();
      for (String key : metadata.keys()) {
        values.put(key, value(metadata, key));
      }
    }
    return new MapMetadata(path.toString(), values);
  }

  private static Object value(GgufMetadata metadata, String key) {
    return switch (metadata.type(key)) {
      case STRING -> metadata.string(key);
      case BOOL -> metadata.bool(key);
      case FLOAT32, FLOAT64 -> metadata.float32(key);
      case ARRAY ->
          switch (metadata.elementType(key)) {
            case STRING -> metadata.strings(key).toArray(String[]::new);
            case FLOAT32 -> metadata.float32s(key);
            default -> metadata.int32s(key);
          };
      default -> metadata.int64(key);
    };
  }

  private static MapMetadata llama3() throws IOException {
    List<String> tokens = new ArrayList<>();
    Map<String, Integer> ranks = new HashMap<>();
    Path file = SharedFiles.require("data/tokenizers/llama3/tokenizer.model");
    for (String line : Files.readAllLines(file)) {
      byte[] bytes = Base64.getDecoder().decode(line.substring(0, line.indexOf(' ')));
      StringBuilder token = new StringBuilder();
      for (byte b : bytes) {
        token.append(ByteLevelAlphabet.charOf(b));
      }
      ranks.put(token.toString(), tokens.size());
      tokens.add(token.toString());
    }
    List<String> merges = new ArrayList<>();
    for (int rank = 0; rank < tokens.size(); rank++) {
      List<String> parts = mergeBelow(tokens.get(rank), rank, ranks);
      if (parts.size() == 2) {
        merges.add(parts.get(0) + " " + parts.get(1));
      }
    }
    int plain = tokens.size();
    tokens.addAll(List.of("<|begin_of_text|>", "<|end_of_text|>"));
    for (int i = 0; i < 254; i++) {
      tokens.add(i == 7 ? "<|eot_id|>" : "<|reserved_special_token_" + i + "|>");
    }
    return bpe("llama3", "llama-bpe", tokens, merges, plain)
        .with(KEYS + "bos_token_id", plain)
        .with(KEYS + "eos_token_id", plain + 1);
  }

  /** Joins neighbours in order of rank, using only tokens before {@code limit}. */
  private static List<String> mergeBelow(String token, int limit, Map<String, Integer> ranks) {
    List<String> parts = new ArrayList<>();
    for (char c : token.toCharArray()) {
      parts.add(String.valueOf(c));
    }
    while (true) {
      int best = limit;
      int at = -1;
      for (int i = 0; i + 1 < parts.size(); i++) {
        Integer rank = ranks.get(parts.get(i) + parts.get(i + 1));
        if (rank != null && rank < best) {
          best = rank;
          at = i;
        }
      }
      if (at < 0) {
        return parts;
      }
      parts.set(at, parts.get(at) + parts.remove(at + 1));
    }
  }

  private static MapMetadata qwen2() throws IOException {
    Path folder = SharedFiles.require("data/tokenizers/qwen2.5");
    JsonNode vocab = new ObjectMapper().readTree(folder.resolve("vocab.json").toFile());
    String[] plain = new String[vocab.size()];
    for (Map.Entry<String, JsonNode> entry : vocab.properties()) {
      plain[entry.getValue().intValue()] = entry.getKey();
    }
    List<String> tokens = new ArrayList<>(Arrays.asList(plain));
    tokens.addAll(List.of("<|endoftext|>", "<|im_start|>", "<|im_end|>"));
    List<String> merges = new ArrayList<>(Files.readAllLines(folder.resolve("merges.txt")));
    merges.removeIf(line -> line.startsWith("#version") || line.isEmpty());
    return bpe("qwen2.5", "qwen2", tokens, merges, plain.length)
        .with(KEYS + "eos_token_id", plain.length + 2)
        .with(KEYS + "padding_token_id", plain.length)
        .with(KEYS + "add_bos_token", false);
  }

  private static MapMetadata bpe(
      String source, String pre, List<String> tokens, List<String> merges, int plain) {
    int[] types = new int[tokens.size()];
    Arrays.setAll(types, id -> id < plain ? GgufVocabulary.NORMAL : GgufVocabulary.CONTROL);
    Map<String, Object> values = new HashMap<>();
    values.put(KEYS + "model", "gpt2");
    values.put(KEYS + "pre", pre);
    values.put(KEYS + "tokens", tokens.toArray(String[]::new));
    values.put(KEYS + "token_type", types);
    values.put(KEYS + "merges", merges.toArray(String[]::new));
    return new MapMetadata(source, values);
  }
}
