package io.attention4j.llm.tokenizer;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Takes the longest token that the rest of the bytes start with, again and again: the tokenizer of
 * RWKV's World vocabulary, and with one token per byte that of byte models. Immutable.
 */
final class LongestMatch implements Encoder {
  private static final int NONE = -1;

  /** A node of the trie: the token that ends here, and where each further byte leads. */
  private static final class Node {
    private int token = NONE;
    private Node[] next;
  }

  private final Path file;
  private final Node root = new Node();

  /**
   * An encoder of these tokens.
   *
   * @param pieces bytes of each token; null or empty ones are never given. Of equal ones the first
   *     counts
   * @param file for messages
   */
  LongestMatch(byte[][] pieces, Path file) {
    this.file = file;
    for (int token = 0; token < pieces.length; token++) {
      if (pieces[token] != null && pieces[token].length > 0) {
        add(pieces[token], token);
      }
    }
  }

  private void add(byte[] piece, int token) {
    Node node = root;
    for (byte value : piece) {
      int branch = Byte.toUnsignedInt(value);
      if (node.next == null) {
        node.next = new Node[branch + 1];
      } else if (node.next.length <= branch) {
        node.next = Arrays.copyOf(node.next, branch + 1);
      }
      if (node.next[branch] == null) {
        node.next[branch] = new Node();
      }
      node = node.next[branch];
    }
    if (node.token == NONE) {
      node.token = token;
    }
  }

  @Override
  public int[] encode(String text) {
    byte[] bytes = Surrogates.replaceLone(text).getBytes(StandardCharsets.UTF_8);
    List<Integer> ids = new ArrayList<>(bytes.length);
    for (int at = 0; at < bytes.length; ) {
      Node node = root;
      int token = NONE;
      int end = at;
      for (int i = at; i < bytes.length && node != null; i++) {
        int branch = Byte.toUnsignedInt(bytes[i]);
        node = node.next == null || branch >= node.next.length ? null : node.next[branch];
        if (node != null && node.token != NONE) {
          token = node.token;
          end = i + 1;
        }
      }
      if (token == NONE) {
        throw new TokenizerException(
            file + ": the vocabulary has no token for the byte " + Byte.toUnsignedInt(bytes[at]));
      }
      ids.add(token);
      at = end;
    }
    return ids.stream().mapToInt(Integer::intValue).toArray();
  }

  @Override
  public void close() {
    // nothing outside the heap
  }
}
