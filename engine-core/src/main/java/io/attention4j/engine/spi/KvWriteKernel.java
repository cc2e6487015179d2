package io.attention4j.engine.spi;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.tensor.Tensor;

/** Stores new keys and values in pages, converting to the page's format. */
public interface KvWriteKernel extends Kernel<KvFormat> {
  /** No, with the reason, for formats whose slots cannot be written one by one; else yes. */
  static Support bySlots(KvFormat format) {
    return switch (format) {
      case KvFormat.Plain plain -> Support.YES;
      case KvFormat.Q8 q8 -> Support.YES;
      case KvFormat.Q4 q4 -> Support.YES;
      case KvFormat.Grouped grouped ->
          Support.no("groups of " + grouped.bits() + " bits, whose pages are written whole");
      case KvFormat.Staircase staircase ->
          Support.no("a staircase of formats; write " + staircase.newest() + " pages");
    };
  }

  /**
   * Writes rows [row, row + count) of one KV head to slots [slot, slot + count) of a page. Does not
   * change the page's length.
   *
   * @param k F32 [rows, kvHeads, keyDim], contiguous
   * @param v F32 [rows, kvHeads, valueDim], contiguous
   */
  void write(Tensor k, Tensor v, int row, int count, int kvHead, KvPage page, int slot);
}
