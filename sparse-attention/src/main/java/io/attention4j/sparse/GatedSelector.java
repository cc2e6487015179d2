package io.attention4j.sparse;

/** A selector that remembers more of a sequence than means, and sees queries as they were. */
interface GatedSelector extends BlockSelector, AutoCloseable {
  /** What a new, empty sequence starts with; null for nothing. */
  KeyMemory newMemory();

  @Override
  default void close() {}
}
