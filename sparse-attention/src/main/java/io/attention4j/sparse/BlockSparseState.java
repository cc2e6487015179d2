package io.attention4j.sparse;

import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.Truncation;
import java.io.IOException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;

/**
 * What a block-sparse layer remembers of a sequence: its keys and values, and the means of key
 * blocks, which follow from the keys and are neither saved nor loaded.
 *
 * @param means null where the selector reads none
 */
record BlockSparseState(KvCache cache, KeyMeans means) implements LayerState {
  @Override
  public long length() {
    return cache.length();
  }

  @Override
  public LayerState fork() {
    return new BlockSparseState(cache.fork(), means == null ? null : means.copy());
  }

  @Override
  public void save(WritableByteChannel channel) throws IOException {
    cache.save(channel);
  }

  @Override
  public void load(ReadableByteChannel channel) throws IOException {
    forgetMeans(0);
    cache.load(channel);
  }

  @Override
  public Truncation truncateTo(long length) {
    Truncation truncation = cache.truncateTo(length);
    forgetMeans(cache.length());
    return truncation;
  }

  private void forgetMeans(long length) {
    if (means != null) {
      means.truncateTo(length);
    }
  }

  @Override
  public long bytes() {
    return cache.bytes() + (means == null ? 0 : means.bytes());
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
