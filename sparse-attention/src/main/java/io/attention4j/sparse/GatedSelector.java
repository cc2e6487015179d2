package io.attention4j.sparse;

/** A selector that remembers more of a sequence than means, and sees queries as they were. */
interface GatedSelector extends BlockSelector, AutoCloseable {
  /** What a new, empty sequence starts with; null for nothing. */
  KeyMemory newMemory();

  /** Whether choosing reads the keys and values of all tokens, not only what it remembers. */
  default boolean readsKeys() {
    return false;
  }

  /**
   * Comes before the heads choose for a part of a step, one after the other. What takes long can be
   * shared among threads here.
   *
   * @param part its first query block, at head 0
   */
  default void prepare(QueryBlock part) {}

  @Override
  default void close() {}
}
