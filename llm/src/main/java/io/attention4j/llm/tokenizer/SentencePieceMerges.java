package io.attention4j.llm.tokenizer;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Merge rules of a SentencePiece BPE vocabulary, which stores a score per token instead.
 *
 * <p>SentencePiece joins, of all neighbours whose concatenation is a token, the pair whose token
 * has the highest score. The same order as rules: for every token, best score first, each way to
 * cut it into two tokens. Cuts of one token are ordered by the ids of their parts, as Hugging
 * Face's converter does.
 *
 * @see <a
 *     href="https://github.com/google/sentencepiece/blob/master/src/bpe_model.cc">SentencePiece,
 *     bpe_model.cc</a>
 */
final class SentencePieceMerges {
  /** Longer tokens get no rule; SentencePiece's trainer stops at 16 characters by default. */
  private static final int LONGEST = 256;

  private SentencePieceMerges() {}

  /**
   * Derives the rules.
   *
   * @return pairs {left, right}, first rule first
   */
  static List<String[]> of(GgufVocabulary vocabulary) {
    float[] scores = vocabulary.scores();
    int size = vocabulary.size();
    Map<String, Integer> ids = HashMap.newHashMap(size);
    long[] order = new long[size];
    int count = 0;
    for (int id = 0; id < size; id++) {
      String token = vocabulary.token(id);
      if (vocabulary.type(id) == GgufVocabulary.NORMAL && !token.isEmpty()) {
        ids.putIfAbsent(token, id);
        order[count++] = descending(scores[id]) << 32 | id;
      }
    }
    java.util.Arrays.sort(order, 0, count);
    List<String[]> merges = new ArrayList<>(size);
    List<long[]> cuts = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      String token = vocabulary.token((int) order[i]);
      if (token.length() > LONGEST) {
        continue;
      }
      cuts.clear();
      for (int at = 1; at < token.length(); at++) {
        if (Character.isLowSurrogate(token.charAt(at))) {
          continue;
        }
        Integer left = ids.get(token.substring(0, at));
        Integer right = left == null ? null : ids.get(token.substring(at));
        if (right != null) {
          cuts.add(new long[] {(long) left << 32 | right, at});
        }
      }
      cuts.sort((a, b) -> Long.compare(a[0], b[0]));
      for (long[] cut : cuts) {
        int at = (int) cut[1];
        merges.add(new String[] {token.substring(0, at), token.substring(at)});
      }
    }
    return merges;
  }

  /** A 32-bit key that sorts finite floats from high to low. */
  private static long descending(float score) {
    int bits = Float.floatToIntBits(score + 0f);
    int ascending = bits < 0 ? bits ^ 0x7FFF_FFFF : bits;
    // Inverted, then kept signed: the shift to the upper half preserves the order.
    return ~ascending;
  }
}
