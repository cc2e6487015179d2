package io.attention4j.llm.tokenizer;

import java.util.BitSet;
import java.util.Map;

/**
 * What decoding needs to know of a vocabulary. Immutable once built; the builder hands over its
 * arrays.
 *
 * @param pieces UTF-8 bytes of each id, possibly a part of a character; null for an id that the
 *     file does not define
 * @param special ids that stand for no text
 * @param addedTokens text of each special or user-defined token to its id
 * @param stripsLeadingSpace whether the first space of a text was put there by the encoder
 */
record Vocabulary(
    byte[][] pieces, BitSet special, Map<String, Integer> addedTokens, boolean stripsLeadingSpace) {

  private static final byte[] NONE = {};

  /** Bytes of an id; empty for one that the vocabulary does not define. Do not write to it. */
  byte[] piece(int id) {
    if (id < 0) {
      throw new IllegalArgumentException("Token id " + id + " is negative; ids count from 0.");
    }
    byte[] piece = id < pieces.length ? pieces[id] : null;
    return piece == null ? NONE : piece;
  }

  /** Number of ids, undefined ones included. */
  int size() {
    return pieces.length;
  }
}
