package io.attention4j.sparse;

import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.Truncation;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;

/**
 * What a routing layer remembers of a sequence. Besides the cache it saves the similarities of past
 * queries, where those form sets of their own.
 */
record RoutingState(KvCache cache, ClusterMembers members, int kvHeads) implements LayerState {
  /** "rout" and a version. */
  private static final int MAGIC = 0x726f7501;

  @Override
  public long length() {
    return cache.length();
  }

  @Override
  public LayerState fork() {
    return new RoutingState(cache.fork(), members.copy(), kvHeads);
  }

  @Override
  public void save(WritableByteChannel channel) throws IOException {
    int length = Math.toIntExact(cache.length());
    write(channel, words(2).putInt(MAGIC).putInt(length));
    cache.save(channel);
    if (members.queryScores() != null) {
      int count = length * members.clusters();
      for (float[] scores : members.queryScores()) {
        ByteBuffer bytes = words(count);
        bytes.asFloatBuffer().put(scores, 0, count);
        write(channel, bytes.position(bytes.limit()));
      }
    }
  }

  @Override
  public void load(ReadableByteChannel channel) throws IOException {
    reset();
    ByteBuffer header = read(channel, 2);
    if (header.getInt() != MAGIC) {
      throw new IOException("these bytes are not the state of a routing layer");
    }
    int length = header.getInt();
    boolean complete = false;
    try {
      cache.load(channel);
      if (cache.length() != length) {
        throw new IOException(
            "the saved routing layer claims "
                + length
                + " tokens but its cache has "
                + cache.length());
      }
      float[][] scores = null;
      if (members.queryScores() != null) {
        scores = new float[members.queryScores().length][length * members.clusters()];
        for (float[] ofHead : scores) {
          read(channel, ofHead.length).asFloatBuffer().get(ofHead);
        }
      }
      PagedKv pages = new PagedKv(kvHeads);
      pages.reset(1);
      cache.fill(pages, 0);
      members.restore(scores, length, pages);
      complete = true;
    } finally {
      if (!complete) {
        reset();
      }
    }
  }

  private static ByteBuffer words(int count) {
    return ByteBuffer.allocate(Math.multiplyExact(Float.BYTES, count))
        .order(ByteOrder.LITTLE_ENDIAN);
  }

  private static void write(WritableByteChannel channel, ByteBuffer bytes) throws IOException {
    bytes.flip();
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  private static ByteBuffer read(ReadableByteChannel channel, int count) throws IOException {
    ByteBuffer bytes = words(count);
    while (bytes.hasRemaining()) {
      if (channel.read(bytes) < 0) {
        throw new EOFException("the saved routing layer ends early");
      }
    }
    return bytes.flip();
  }

  @Override
  public Truncation truncateTo(long length) {
    Truncation truncation = cache.truncateTo(length);
    members.truncateTo(Math.toIntExact(cache.length()));
    return truncation;
  }

  @Override
  public long bytes() {
    return cache.bytes() + members.bytes();
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
