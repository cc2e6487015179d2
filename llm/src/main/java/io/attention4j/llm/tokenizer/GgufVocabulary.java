package io.attention4j.llm.tokenizer;

import static io.attention4j.llm.format.ModelFormatException.quote;

import io.attention4j.llm.format.ModelFormatException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** The checked vocabulary of a GGUF file, before it becomes a tokenizer.json. */
final class GgufVocabulary {
  static final int NORMAL = 1;
  static final int UNKNOWN = 2;
  static final int CONTROL = 3;
  static final int USER_DEFINED = 4;
  static final int UNUSED = 5;
  static final int BYTE = 6;

  /** SentencePiece's stand-in for a space. */
  static final char SPACE_MARK = '\u2581';

  private static final String KEYS = "tokenizer.ggml.";

  private final TokenizerMetadata metadata;
  private final boolean sentencePiece;
  private final boolean longestMatch;
  private final String[] tokens;
  private final int[] types;

  /**
   * Reads and checks the tokens and their types.
   *
   * @throws ModelFormatException naming the key if something is missing, too short or out of range
   */
  GgufVocabulary(TokenizerMetadata metadata) {
    this.metadata = metadata;
    String model =
        metadata
            .string(KEYS + "model")
            .orElseThrow(
                () -> bad("the file has no tokenizer.ggml.model, so it holds no vocabulary"));
    sentencePiece = model.equals("llama");
    longestMatch = model.equals("rwkv");
    switch (model) {
      case "llama", "gpt2", "rwkv" -> {}
      default ->
          throw bad(
              "tokenizer.ggml.model is "
                  + quote(model)
                  + ", while this version reads gpt2 (byte-level BPE), llama (SentencePiece"
                  + " BPE) and rwkv (longest match)");
    }
    tokens = required(metadata.strings(KEYS + "tokens"), "tokens");
    if (tokens.length == 0) {
      throw bad("tokenizer.ggml.tokens is empty");
    }
    types = types();
  }

  private int[] types() {
    int[] given = metadata.ints(KEYS + "token_type").orElse(null);
    if (given != null) {
      requireLength(given.length, "token_type");
      return given;
    }
    // Old files carry no types; the names of byte tokens and the special ids tell enough.
    int[] guessed = new int[tokens.length];
    for (int id = 0; id < guessed.length; id++) {
      guessed[id] = sentencePiece && byteValue(tokens[id]) >= 0 ? BYTE : NORMAL;
    }
    for (String role : List.of("bos", "eos", "eot", "padding")) {
      specialId(role).ifPresent(id -> guessed[id] = CONTROL);
    }
    specialId("unknown").ifPresent(id -> guessed[id] = UNKNOWN);
    return guessed;
  }

  Path file() {
    return Path.of(metadata.source());
  }

  boolean sentencePiece() {
    return sentencePiece;
  }

  /** Whether the longest token is taken, RWKV's way, instead of merging pairs. */
  boolean longestMatch() {
    return longestMatch;
  }

  /** Bytes of the tokens that stand for text; null for the others. */
  byte[][] textPieces() {
    byte[][] pieces = new byte[tokens.length][];
    for (int id = 0; id < tokens.length; id++) {
      if (!isSpecial(id) && types[id] != UNUSED) {
        pieces[id] = piece(id);
      }
    }
    return pieces;
  }

  int size() {
    return tokens.length;
  }

  int type(int id) {
    return types[id];
  }

  /** The token as the file spells it: with byte stand-ins (BPE) or space marks (SentencePiece). */
  String token(int id) {
    return tokens[id];
  }

  /** A token that is found in a text as it stands, before any splitting. */
  boolean isAdded(int id) {
    int type = types[id];
    return !tokens[id].isEmpty() && (isSpecial(id) || type == USER_DEFINED);
  }

  /** A token that is matched in texts but stands for no text itself. */
  boolean isSpecial(int id) {
    return types[id] == CONTROL || types[id] == UNKNOWN;
  }

  /** What an added token looks like in a text. */
  String addedText(int id) {
    // Converters write the spaces of user-defined tokens out; older ones left the mark.
    return sentencePiece && types[id] == USER_DEFINED
        ? tokens[id].replace(SPACE_MARK, ' ')
        : tokens[id];
  }

  /** The key of a token in the model's vocabulary. */
  String vocabularyKey(int id) {
    return isAdded(id) ? addedText(id) : tokens[id];
  }

  /** Whether white space after this added token belongs to it. */
  boolean stripsRight(int id) {
    // Phi-3's tokenizer.json says so; GGUF has no key for it.
    return phi3()
        && isSpecial(id)
        && !List.of("<unk>", "<s>", "<|endoftext|>").contains(tokens[id]);
  }

  private boolean phi3() {
    String name = metadata.string("general.name").orElse("").toLowerCase(Locale.ROOT);
    return sentencePiece
        && (name.contains("phi-3")
            || name.contains("phi3")
            || metadata.string("general.architecture").orElse("").equals("phi3"));
  }

  /**
   * Log-probabilities or ranks of the tokens; higher merges first.
   *
   * @throws ModelFormatException if they are absent, too few or not finite
   */
  float[] scores() {
    float[] scores = required(metadata.floats(KEYS + "scores"), "scores");
    requireLength(scores.length, "scores");
    for (int id = 0; id < scores.length; id++) {
      if (!Float.isFinite(scores[id])) {
        throw bad("tokenizer.ggml.scores holds " + scores[id] + " for token " + id);
      }
    }
    return scores;
  }

  /** Merge rules, first rule first, as "left right". */
  String[] merges() {
    return required(metadata.strings(KEYS + "merges"), "merges");
  }

  PreTokenizer preTokenizer() {
    return PreTokenizer.named(metadata.string(KEYS + "pre").orElse("default"), file());
  }

  boolean addsSpacePrefix() {
    return sentencePiece && metadata.flag(KEYS + "add_space_prefix").orElse(true);
  }

  boolean addsBos() {
    return metadata
        .flag(KEYS + "add_bos_token")
        .orElseGet(() -> sentencePiece || !longestMatch && preTokenizer().addsBos());
  }

  boolean addsEos() {
    return metadata.flag(KEYS + "add_eos_token").orElse(false);
  }

  /**
   * The id under {@code tokenizer.ggml.ROLE_token_id}; empty if the key is absent.
   *
   * @throws ModelFormatException if it is no token of this vocabulary
   */
  OptionalInt specialId(String role) {
    String key = KEYS + role + "_token_id";
    OptionalLong id = metadata.integer(key);
    if (id.isEmpty()) {
      return OptionalInt.empty();
    }
    // Converters write 2^32 - 1 for "none".
    if (id.getAsLong() == 0xFFFF_FFFFL || id.getAsLong() == -1) {
      return OptionalInt.empty();
    }
    if (id.getAsLong() < 0 || id.getAsLong() >= tokens.length) {
      throw bad(
          key
              + " is "
              + id.getAsLong()
              + ", outside the vocabulary of "
              + tokens.length
              + " tokens");
    }
    return OptionalInt.of((int) id.getAsLong());
  }

  /** The decoding side of this vocabulary. */
  Vocabulary vocabulary() {
    byte[][] pieces = new byte[tokens.length][];
    BitSet special = new BitSet(tokens.length);
    Map<String, Integer> added = new HashMap<>();
    for (int id = 0; id < tokens.length; id++) {
      if (isAdded(id)) {
        added.putIfAbsent(addedText(id), id);
      }
      if (isSpecial(id) || types[id] == UNUSED) {
        special.set(id);
      }
      pieces[id] = piece(id);
    }
    return new Vocabulary(pieces, special, added, addsSpacePrefix());
  }

  private byte[] piece(int id) {
    if (isAdded(id)) {
      return addedText(id).getBytes(StandardCharsets.UTF_8);
    }
    if (longestMatch) {
      return EscapedBytes.of(tokens[id]);
    }
    if (!sentencePiece) {
      return ByteLevelAlphabet.bytes(tokens[id]);
    }
    int value = types[id] == BYTE ? byteValue(tokens[id]) : -1;
    return value >= 0
        ? new byte[] {(byte) value}
        : tokens[id].replace(SPACE_MARK, ' ').getBytes(StandardCharsets.UTF_8);
  }

  /** The byte that a token such as {@code <0x0A>} stands for; -1 for any other token. */
  static int byteValue(String token) {
    if (token.length() != 6 || !token.startsWith("<0x") || token.charAt(5) != '>') {
      return -1;
    }
    int high = Character.digit(token.charAt(3), 16);
    int low = Character.digit(token.charAt(4), 16);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
  }

  ModelFormatException bad(String problem) {
    return new ModelFormatException(file(), problem, "use another file of this model");
  }

  private <T> T required(Optional<T> value, String name) {
    return value.orElseThrow(() -> bad(KEYS + name + " is missing"));
  }

  private void requireLength(int length, String name) {
    if (length != tokens.length) {
      throw bad(KEYS + name + " has " + length + " entries for " + tokens.length + " tokens");
    }
  }
}
