package io.attention4j.kvcache;

/** Bounds that every cache checks before it changes anything. */
final class KvRoom {
  private KvRoom() {}

  static void require(int length, int count, int maxTokens) {
    if (count < 0 || (long) length + count > maxTokens) {
      throw new IllegalStateException(
          "the KV cache holds "
              + length
              + " of at most "
              + maxTokens
              + " tokens, no room for "
              + count
              + " more; load the model with a larger context or truncate the session");
    }
  }

  static void requireTruncation(long newLength, int length) {
    if (newLength < 0 || newLength > length) {
      throw new IllegalArgumentException(
          "cannot truncate a KV cache of " + length + " tokens to " + newLength);
    }
  }
}
