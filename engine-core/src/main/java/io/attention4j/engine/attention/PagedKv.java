package io.attention4j.engine.attention;

import java.util.Arrays;

/**
 * The page table of one layer in one step: for each (sequence, KV head) its pages in key order.
 * Heads may keep different tokens. A contiguous cache is one page per head. Reused from step to
 * step; holds references to the caches' page arrays and copies nothing.
 */
public final class PagedKv {
  private final int kvHeads;
  private int sequences;
  private KvPage[][] pages = new KvPage[0][];
  private int[] counts = new int[0];

  /** An empty table for layers with this many KV heads. */
  public PagedKv(int kvHeads) {
    if (kvHeads < 1) {
      throw new IllegalArgumentException("kvHeads " + kvHeads + " must be at least 1");
    }
    this.kvHeads = kvHeads;
  }

  /** KV heads per sequence. */
  public int kvHeads() {
    return kvHeads;
  }

  /** Sequences in the table. */
  public int sequences() {
    return sequences;
  }

  /** Starts a table of this many sequences, all without pages. */
  public void reset(int sequenceCount) {
    int entries = sequenceCount * kvHeads;
    if (entries > pages.length) {
      pages = new KvPage[entries][];
      counts = new int[entries];
    }
    Arrays.fill(pages, null);
    Arrays.fill(counts, 0);
    sequences = sequenceCount;
  }

  /**
   * Sets the pages of a (sequence, KV head): the first {@code count} of the array, in key order.
   */
  public void set(int sequence, int kvHead, KvPage[] headPages, int count) {
    int entry = entry(sequence, kvHead);
    pages[entry] = headPages;
    counts[entry] = count;
  }

  /** Number of pages. */
  public int pageCount(int sequence, int kvHead) {
    return counts[entry(sequence, kvHead)];
  }

  /** One page. */
  public KvPage page(int sequence, int kvHead, int index) {
    return pages[entry(sequence, kvHead)][index];
  }

  /** Filled slots over all pages. */
  public long length(int sequence, int kvHead) {
    int entry = entry(sequence, kvHead);
    long length = 0;
    for (int i = 0; i < counts[entry]; i++) {
      length += pages[entry][i].length();
    }
    return length;
  }

  private int entry(int sequence, int kvHead) {
    if (sequence < 0 || sequence >= sequences || kvHead < 0 || kvHead >= kvHeads) {
      throw new IndexOutOfBoundsException(
          "(sequence "
              + sequence
              + ", KV head "
              + kvHead
              + ") is outside "
              + sequences
              + " x "
              + kvHeads);
    }
    return sequence * kvHeads + kvHead;
  }
}
