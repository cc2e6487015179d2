package io.attention4j.engine.operator;

import java.io.IOException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;

/**
 * What one layer remembers of one sequence: a KV cache, or the constant-size state of a recurrence.
 * Not thread-safe.
 */
public interface LayerState extends AutoCloseable {
  /** Tokens seen. */
  long length();

  /** An independent copy; may share memory until either changes it. The caller closes it. */
  LayerState fork();

  /** Writes the state; the format is the operator's own and starts with its id and version. */
  void save(WritableByteChannel channel) throws IOException;

  /**
   * Replaces the state by one that {@link #save} wrote for the same layer shape.
   *
   * @throws IOException if the bytes are not such a state or end early; the state is then empty
   */
  void load(ReadableByteChannel channel) throws IOException;

  /**
   * Remembers the present length, so that {@link #truncateTo} can return to it. Does nothing where
   * a layer can go back anyway. A layer keeps few; the oldest goes first.
   */
  default void snapshot() {}

  /** Goes back to the first {@code length} tokens, if the operator can. */
  Truncation truncateTo(long length);

  /** Bytes held, shared ones counted in full. */
  long bytes();

  /** Forgets everything. */
  void reset();

  @Override
  void close();
}
