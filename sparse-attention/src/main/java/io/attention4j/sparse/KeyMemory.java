package io.attention4j.sparse;

import io.attention4j.engine.attention.PagedKv;

/** What a method remembers of a sequence's keys; follows from them, so it is never saved. */
sealed interface KeyMemory permits BlockMeans, KeyBuckets, LandmarkKeys {
  /** Takes in the keys that came since the last call. */
  void update(PagedKv pages, int sequence, long keys);

  /** Forgets what follows from later keys. */
  void truncateTo(long keys);

  /** An independent copy. */
  KeyMemory copy();

  /** Bytes held. */
  long bytes();
}
