package io.attention4j.sparse;

import io.attention4j.engine.attention.PagedKv;

/** What a method remembers of a sequence's keys; follows from them, so it is never saved. */
sealed interface KeyMemory
    permits BlockMeans, GateKeys, KeyBounds, KeyBuckets, LandmarkKeys, NosaMemory {
  /** Says what keys to come are rotated by. */
  default void rotation(Rotation rotation) {}

  /** The first token whose key or value {@link #update} will read. */
  long unread();

  /** Takes in the keys that came since the last call. */
  void update(PagedKv pages, int sequence, long keys);

  /** Gives the keys of a sequence of the step a bias, if the method has one. */
  default void bias(PagedKv pages, int sequence) {}

  /** Forgets what follows from later keys. */
  void truncateTo(long keys);

  /** An independent copy. */
  KeyMemory copy();

  /** Bytes held. */
  long bytes();
}
