package io.attention4j.engine.spi;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.tensor.Tensor;

/** Stores new keys and values in pages, converting to the page's format. */
public interface KvWriteKernel extends Kernel<KvFormat> {
  /**
   * Writes rows [row, row + count) of one KV head to slots [slot, slot + count) of a page. Does not
   * change the page's length.
   *
   * @param k F32 [rows, kvHeads, keyDim], contiguous
   * @param v F32 [rows, kvHeads, valueDim], contiguous
   */
  void write(Tensor k, Tensor v, int row, int count, int kvHead, KvPage page, int slot);
}
