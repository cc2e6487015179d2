package io.attention4j.llm.tokenizer;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;

/** Real vocabularies of the shared folder as GGUF metadata. */
final class Vocabularies {
  private static final String KEYS = "tokenizer.ggml.";

  private Vocabularies() {}

  /** A file of the shared folder; skips the test, and says so, where the folder is absent. */
  static Path shared(String name) {
    Path folder = Path.of(System.getProperty("attention4j.shared", "../../shared"));
    if (!Files.isDirectory(folder)) {
      String message = "SKIPPED: no folder " + folder.toAbsolutePath() + " with real vocabularies";
      System.err.println(message);
      Assumptions.abort(message);
    }
    return folder.resolve(name);
  }

  /** The metadata of one of the four case sets: gpt-2, llama-spm, llama-bpe or qwen2. */
  static MapMetadata caseSet(String name) throws IOException {
    return switch (name) {
      case "llama-bpe" -> llama3();
      case "qwen2" -> qwen2();
      default -> gguf(shared("data/tokenizers/ggml-vocab-" + name + ".gguf"));
    };
  }

  /** A text and its ids. */
  record Case(String text, int[] ids) {}

  static List<Case> cases(String name) throws IOException {
    Path file = shared("data/tokenizers/ggml-vocab-" + name + ".gguf.cases.json");
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

  /** The metadata of a trusted GGUF file. */
  static MapMetadata gguf(Path file) throws IOException {
    ByteBuffer in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    in.position(8);
    in.getLong();
    long count = in.getLong();
    Map<String, Object> values = new HashMap<>();
    for (long i = 0; i < count; i++) {
      String key = string(in);
      values.put(key, value(in, in.getInt()));
    }
    return new MapMetadata(file.toString(), values);
  }

  private static Object value(ByteBuffer in, int type) {
    return switch (type) {
      case 0, 1 -> (int) in.get();
      case 2, 3 -> (int) in.getShort();
      case 4, 5 -> in.getInt();
      case 6 -> in.getFloat();
      case 7 -> in.get() != 0;
      case 8 -> string(in);
      case 9 -> array(in, in.getInt(), (int) in.getLong());
      case 10, 11 -> in.getLong();
      case 12 -> in.getDouble();
      default -> throw new IllegalArgumentException("type " + type);
    };
  }

  private static Object array(ByteBuffer in, int type, int size) {
    switch (type) {
      case 8 -> {
        String[] strings = new String[size];
        Arrays.setAll(strings, i -> string(in));
        return strings;
      }
      case 6 -> {
        float[] floats = new float[size];
        for (int i = 0; i < size; i++) {
          floats[i] = in.getFloat();
        }
        return floats;
      }
      case 4, 5 -> {
        int[] ints = new int[size];
        Arrays.setAll(ints, i -> in.getInt());
        return ints;
      }
      default -> throw new IllegalArgumentException("array of type " + type);
    }
  }

  private static String string(ByteBuffer in) {
    byte[] bytes = new byte[(int) in.getLong()];
    in.get(bytes);
    return new String(bytes, UTF_8);
  }

  private static MapMetadata llama3() throws IOException {
    List<String> tokens = new ArrayList<>();
    Map<String, Integer> ranks = new HashMap<>();
    Path file = shared("data/tokenizers/llama3/tokenizer.model");
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
    Path folder = shared("data/tokenizers/qwen2.5");
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
