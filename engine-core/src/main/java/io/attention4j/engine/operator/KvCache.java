package io.attention4j.engine.operator;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.tensor.Tensor;
import java.io.IOException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;

/** Keys and values of one layer of one sequence. Not thread-safe. */
public interface KvCache extends AutoCloseable {
  /** Tokens appended (not all need be kept). */
  long length();

  /**
   * Stores rows [row, row + count) as the next tokens.
   *
   * @param k F32 [rows, kvHeads, headDim], contiguous
   * @param v F32 [rows, kvHeads, valueDim], contiguous
   * @throws IllegalStateException if there is no room; names the need and the bound; nothing is
   *     stored
   */
  void append(Tensor k, Tensor v, int row, int count);

  /** Enters the pages of every KV head in the table. */
  void fill(PagedKv table, int sequence);

  /** An independent copy; may share pages until either changes them. */
  KvCache fork();

  /** Goes back to the first {@code length} tokens, if it still has them. */
  Truncation truncateTo(long length);

  /** Writes contents. */
  void save(WritableByteChannel channel) throws IOException;

  /** Replaces contents by what {@link #save} wrote for the same shape. */
  void load(ReadableByteChannel channel) throws IOException;

  /** Bytes held, shared pages counted in full. */
  long bytes();

  @Override
  void close();

  /** Makes caches of one kind for one layer shape. */
  interface Factory {
    /** How keys are stored. */
    KvFormat keyFormat();

    /** How values are stored. */
    KvFormat valueFormat();

    /** An empty cache. */
    KvCache create(LayerShape shape);

    /** Bytes that one layer of this shape takes for so many tokens, for estimates. */
    long bytes(LayerShape shape, long tokens);
  }
}
