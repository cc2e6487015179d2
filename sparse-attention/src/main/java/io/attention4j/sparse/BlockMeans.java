package io.attention4j.sparse;

import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.PagedKv;
import java.util.Arrays;

/** Computes the mean of a block once, when the block is complete. Not thread-safe. */
final class BlockMeans implements KeyMeans, KeyMemory {
  private final int keyBlock;
  private final int headDim;
  private final float[][] means; // [kvHead][block * headDim]
  private final float[] key;
  private int blocks;

  BlockMeans(int keyBlock, int kvHeads, int headDim) {
    this.keyBlock = keyBlock;
    this.headDim = headDim;
    means = new float[kvHeads][0];
    key = new float[headDim];
  }

  @Override
  public int blocks() {
    return blocks;
  }

  @Override
  public double dot(int kvHead, int block, double[] query) {
    float[] mean = means[kvHead];
    double dot = 0;
    for (int d = 0; d < headDim; d++) {
      dot += query[d] * mean[block * headDim + d];
    }
    return dot;
  }

  @Override
  public long unread() {
    return (long) blocks * keyBlock;
  }

  @Override
  public void update(PagedKv pages, int sequence, long keys) {
    int complete = (int) (keys / keyBlock);
    if (complete <= blocks) {
      return;
    }
    for (int h = 0; h < means.length; h++) {
      int needed = complete * headDim;
      if (means[h].length < needed) {
        means[h] = Arrays.copyOf(means[h], Math.max(needed, 2 * means[h].length));
      }
      Arrays.fill(means[h], blocks * headDim, needed, 0);
      add(pages, sequence, h, complete);
    }
    blocks = complete;
  }

  private void add(PagedKv pages, int sequence, int kvHead, int complete) {
    long from = (long) blocks * keyBlock;
    long to = (long) complete * keyBlock;
    long first = 0; // slot of the sequence at which the page begins
    for (int p = 0; p < pages.pageCount(sequence, kvHead) && first < to; p++) {
      KvPage page = pages.page(sequence, kvHead, p);
      int end = (int) Math.min(page.length(), to - first);
      for (int slot = (int) Math.max(0, from - first); slot < end; slot++) {
        HostKeys.read(page, slot, key);
        int at = (int) ((first + slot) / keyBlock) * headDim;
        for (int d = 0; d < headDim; d++) {
          means[kvHead][at + d] += key[d] / keyBlock;
        }
      }
      first += page.length();
    }
  }

  @Override
  public void truncateTo(long keys) {
    blocks = (int) Math.min(blocks, keys / keyBlock);
  }

  @Override
  public BlockMeans copy() {
    BlockMeans copy = new BlockMeans(keyBlock, means.length, headDim);
    for (int h = 0; h < means.length; h++) {
      copy.means[h] = Arrays.copyOf(means[h], blocks * headDim);
    }
    copy.blocks = blocks;
    return copy;
  }

  @Override
  public long bytes() {
    return (long) Float.BYTES * means.length * means[0].length;
  }
}
