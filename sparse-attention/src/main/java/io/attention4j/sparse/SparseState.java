package io.attention4j.sparse;

import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.Truncation;
import java.io.IOException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;

/**
 * What a sparse layer remembers of a sequence: its keys and values, and what the method derives
 * from the keys, which is neither saved nor loaded.
 *
 * @param memory null where the method has none
 */
record SparseState(KvCache cache, KeyMemory memory) implements LayerState {
  /** Refuses a cache that dropped tokens; its pages are those of the sequence in the table. */
  static void requireWhole(KvCache cache, PagedKv pages, int sequence) {
    for (int h = 0; h < pages.kvHeads(); h++) {
      if (pages.length(sequence, h) != cache.length()) {
        throw new IllegalStateException(
            "the KV cache kept "
                + pages.length(sequence, h)
                + " of "
                + cache.length()
                + " tokens, but sparse attention chooses among all; use a cache that drops none");
      }
    }
  }

  @Override
  public long length() {
    return cache.length();
  }

  @Override
  public LayerState fork() {
    return new SparseState(cache.fork(), memory == null ? null : memory.copy());
  }

  @Override
  public void save(WritableByteChannel channel) throws IOException {
    cache.save(channel);
  }

  @Override
  public void load(ReadableByteChannel channel) throws IOException {
    forgetAfter(0);
    cache.load(channel);
  }

  @Override
  public Truncation truncateTo(long length) {
    Truncation truncation = cache.truncateTo(length);
    forgetAfter(cache.length());
    return truncation;
  }

  private void forgetAfter(long length) {
    if (memory != null) {
      memory.truncateTo(length);
    }
  }

  @Override
  public long bytes() {
    return cache.bytes() + (memory == null ? 0 : memory.bytes());
  }

  @Override
  public void reset() {
    if (truncateTo(0) instanceof Truncation.Refused refused) {
      throw new IllegalStateException("a cache must be able to empty itself: " + refused.reason());
    }
  }

  @Override
  public void close() {
    cache.close();
  }
}
