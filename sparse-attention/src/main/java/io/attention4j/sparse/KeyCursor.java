package io.attention4j.sparse;

import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.PagedKv;

/** Reads keys and values of one sequence by slot; quick where slots ascend. Not thread-safe. */
final class KeyCursor {
  private final PagedKv pages;
  private final int sequence;
  private final int kvHead;
  private int page;
  private long first; // slot at which the page begins

  KeyCursor(PagedKv pages, int sequence, int kvHead) {
    this.pages = pages;
    this.sequence = sequence;
    this.kvHead = kvHead;
  }

  /** The key of a slot. */
  void key(long slot, float[] key) {
    KvPage at = seek(slot);
    HostKeys.read(at, (int) (slot - first), key);
  }

  /** The value of a slot. */
  void value(long slot, float[] value) {
    KvPage at = seek(slot);
    HostKeys.readValue(at, (int) (slot - first), value);
  }

  private KvPage seek(long slot) {
    if (slot < first) {
      page = 0;
      first = 0;
    }
    KvPage at = pages.page(sequence, kvHead, page);
    while (slot >= first + at.length()) {
      first += at.length();
      at = pages.page(sequence, kvHead, ++page);
    }
    return at;
  }
}
