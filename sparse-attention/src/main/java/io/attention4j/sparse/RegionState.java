package io.attention4j.sparse;

import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.Truncation;
import io.attention4j.engine.tensor.Tensor;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.Arrays;
import java.util.List;

/**
 * What a layer with region summaries remembers of a sequence: keys and values, the queries where
 * summaries depend on them, and the summaries, which follow from these and are neither copied nor
 * saved.
 */
final class RegionState implements LayerState {
  /** How many summaries of a store follow from the first {@code length} tokens. */
  @FunctionalInterface
  interface Counts {
    /** The number. */
    long of(int store, long length);
  }

  private final KvCache cache;
  private final int queryWidth;
  private final List<SummaryPages> stores;
  private final Counts counts;
  private float[] queries = new float[0]; // [token][queryWidth]
  private int queryRows;

  /**
   * An empty state.
   *
   * @param queryWidth queryHeads * headDim, or 0 where queries are not kept
   */
  RegionState(KvCache cache, int queryWidth, List<SummaryPages> stores, Counts counts) {
    this.cache = cache;
    this.queryWidth = queryWidth;
    this.stores = List.copyOf(stores);
    this.counts = counts;
  }

  KvCache cache() {
    return cache;
  }

  List<SummaryPages> stores() {
    return stores;
  }

  /** Keeps rows [row, row + rows) of q, contiguous F32 [.., queryWidth]. */
  void keepQueries(Tensor q, int row, int rows) {
    int needed = Math.multiplyExact(queryRows + rows, queryWidth);
    if (queries.length < needed) {
      queries = Arrays.copyOf(queries, Math.max(needed, 2 * queries.length));
    }
    long at = (long) row * queryWidth * Float.BYTES;
    MemorySegment.copy(
        q.segment(), Tensor.FLOAT, at, queries, queryRows * queryWidth, rows * queryWidth);
    queryRows += rows;
  }

  /** Raises a vector to the element-wise maximum with the query of a token. */
  void raiseByQuery(int token, float[] vector) {
    for (int d = 0; d < queryWidth; d++) {
      vector[d] = Math.max(vector[d], queries[token * queryWidth + d]);
    }
  }

  /** The query of a token, queryWidth elements. */
  float[] query(int token) {
    return Arrays.copyOfRange(queries, token * queryWidth, (token + 1) * queryWidth);
  }

  @Override
  public long length() {
    return cache.length();
  }

  @Override
  public LayerState fork() {
    RegionState copy =
        new RegionState(
            cache.fork(), queryWidth, stores.stream().map(SummaryPages::another).toList(), counts);
    copy.queries = Arrays.copyOf(queries, queryRows * queryWidth);
    copy.queryRows = queryRows;
    return copy;
  }

  @Override
  public void save(WritableByteChannel channel) throws IOException {
    cache.save(channel);
    ByteBuffer row = rowBuffer();
    for (int token = 0; token < queryRows; token++) {
      row.clear();
      for (int d = 0; d < queryWidth; d++) {
        row.putFloat(queries[token * queryWidth + d]);
      }
      row.flip();
      while (row.hasRemaining()) {
        channel.write(row);
      }
    }
  }

  @Override
  public void load(ReadableByteChannel channel) throws IOException {
    reset();
    cache.load(channel);
    if (queryWidth == 0) {
      return;
    }
    int tokens = Math.toIntExact(cache.length());
    float[] loaded = new float[Math.multiplyExact(tokens, queryWidth)];
    ByteBuffer row = rowBuffer();
    for (int token = 0; token < tokens; token++) {
      row.clear();
      while (row.hasRemaining()) {
        if (channel.read(row) < 0) {
          reset();
          throw new EOFException(
              "the state ends within the queries, at token " + token + " of " + tokens);
        }
      }
      row.flip();
      for (int d = 0; d < queryWidth; d++) {
        loaded[token * queryWidth + d] = row.getFloat();
      }
    }
    queries = loaded;
    queryRows = tokens;
  }

  private ByteBuffer rowBuffer() {
    return ByteBuffer.allocate(queryWidth * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
  }

  @Override
  public Truncation truncateTo(long length) {
    Truncation truncation = cache.truncateTo(length);
    long kept = cache.length();
    queryRows = (int) Math.min(queryRows, kept);
    for (int store = 0; store < stores.size(); store++) {
      stores.get(store).truncateTo(counts.of(store, kept));
    }
    return truncation;
  }

  @Override
  public long bytes() {
    return cache.bytes()
        + (long) queries.length * Float.BYTES
        + stores.stream().mapToLong(SummaryPages::bytes).sum();
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
    stores.forEach(SummaryPages::close);
  }
}
