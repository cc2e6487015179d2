package io.attention4j.llm.tiny;

import java.util.ArrayList;
import java.util.List;

/** A byte-level vocabulary: 256 bytes, a few merges, special tokens, unused ids. */
final class TinyVocabulary {
  static final int BOS = 270;
  static final int EOS = 271;

  static final List<String> MERGES = List.of("t h", "th e", "Ġ the", "a n", "an d");

  private TinyVocabulary() {}

  static List<String> tokens() {
    List<String> tokens = new ArrayList<>();
    int extra = 256;
    for (int b = 0; b < 256; b++) {
      boolean printable = b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae;
      tokens.add(String.valueOf((char) (printable ? b : extra++)));
    }
    for (String merge : MERGES) {
      tokens.add(merge.replace(" ", ""));
    }
    while (tokens.size() < BOS) {
      tokens.add("<unused" + tokens.size() + ">");
    }
    tokens.add("<s>");
    tokens.add("</s>");
    return tokens;
  }

  /** GGUF token types: 1 normal, 3 control, 5 unused. */
  static int[] types() {
    int[] types = new int[TinySpec.VOCABULARY];
    for (int i = 0; i < types.length; i++) {
      types[i] = i < 256 + MERGES.size() ? 1 : i < BOS ? 5 : 3;
    }
    return types;
  }
}
