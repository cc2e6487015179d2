package io.attention4j.sparse;

import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.PagedKv;
import java.util.Arrays;

/**
 * The smallest and largest value of every element over the keys of each complete block, per KV
 * head, of the keys as the cache stores them. Element by element, so that bounding all blocks is a
 * run over floats. Threads may bound at the same time, but not while it changes.
 */
final class KeyBounds implements KeyMemory {
  private static final int TILE = 1024;

  private final int keyBlock;
  private final int headDim;
  private final float[][][] least; // [kvHead][element][block]
  private final float[][][] most;
  private final float[] key;
  private int blocks;

  KeyBounds(int keyBlock, int kvHeads, int headDim) {
    this.keyBlock = keyBlock;
    this.headDim = headDim;
    least = new float[kvHeads][headDim][0];
    most = new float[kvHeads][headDim][0];
    key = new float[headDim];
  }

  /** Complete blocks. */
  int blocks() {
    return blocks;
  }

  /**
   * Raises {@code bounds[b]} to the largest dot product that one of the queries can have with any
   * vector between the bounds of block b: sum over elements of max(q least, q most). All queries of
   * a group pass over four elements of a tile of blocks while these are in the cache of a core.
   *
   * @param queries [query][headDim]
   * @param bounds [blocks]
   * @param sums [query][blocks], overwritten
   */
  void raise(int kvHead, float[][] queries, float[] bounds, float[][] sums) {
    for (int from = 0; from < blocks; from += TILE) {
      int to = Math.min(blocks, from + TILE);
      for (int i = 0; i < queries.length; i++) {
        Arrays.fill(sums[i], from, to, 0);
      }
      int d = 0;
      for (; d + 4 <= headDim; d += 4) {
        for (int i = 0; i < queries.length; i++) {
          addFour(kvHead, queries[i], d, from, to, sums[i]);
        }
      }
      for (; d < headDim; d++) {
        for (int i = 0; i < queries.length; i++) {
          addOne(kvHead, queries[i], d, from, to, sums[i]);
        }
      }
      for (int i = 0; i < queries.length; i++) {
        raise(bounds, sums[i], from, to);
      }
    }
  }

  private static void raise(float[] bounds, float[] others, int from, int to) {
    for (int b = from; b < to; b++) {
      bounds[b] = Math.max(bounds[b], others[b]);
    }
  }

  private float[] extreme(int kvHead, int element, float factor) {
    return factor >= 0 ? most[kvHead][element] : least[kvHead][element];
  }

  /**
   * Four elements at once: a sum is loaded and stored a quarter as often. All arrays have one
   * index, without which the compiler would fear that they overlap and not vectorise.
   */
  private void addFour(int kvHead, float[] query, int d, int from, int to, float[] sums) {
    float q0 = query[d];
    float q1 = query[d + 1];
    float q2 = query[d + 2];
    float q3 = query[d + 3];
    float[] x0 = extreme(kvHead, d, q0);
    float[] x1 = extreme(kvHead, d + 1, q1);
    float[] x2 = extreme(kvHead, d + 2, q2);
    float[] x3 = extreme(kvHead, d + 3, q3);
    for (int b = from; b < to; b++) {
      sums[b] += q0 * x0[b] + q1 * x1[b] + q2 * x2[b] + q3 * x3[b];
    }
  }

  private void addOne(int kvHead, float[] query, int d, int from, int to, float[] sums) {
    float[] x = extreme(kvHead, d, query[d]);
    for (int b = from; b < to; b++) {
      sums[b] += query[d] * x[b];
    }
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
    for (int h = 0; h < least.length; h++) {
      for (int d = 0; d < headDim; d++) {
        least[h][d] = started(least[h][d], complete, Float.POSITIVE_INFINITY);
        most[h][d] = started(most[h][d], complete, Float.NEGATIVE_INFINITY);
      }
      cover(pages, sequence, h, complete);
    }
    blocks = complete;
  }

  private float[] started(float[] bounds, int complete, float neutral) {
    float[] grown =
        bounds.length < complete
            ? Arrays.copyOf(bounds, Math.max(complete, 2 * bounds.length))
            : bounds;
    Arrays.fill(grown, blocks, complete, neutral);
    return grown;
  }

  private void cover(PagedKv pages, int sequence, int kvHead, int complete) {
    long from = (long) blocks * keyBlock;
    long to = (long) complete * keyBlock;
    long first = 0; // slot of the sequence at which the page begins
    for (int p = 0; p < pages.pageCount(sequence, kvHead) && first < to; p++) {
      KvPage page = pages.page(sequence, kvHead, p);
      int end = (int) Math.min(page.length(), to - first);
      for (int slot = (int) Math.max(0, from - first); slot < end; slot++) {
        HostKeys.read(page, slot, key);
        int block = (int) ((first + slot) / keyBlock);
        for (int d = 0; d < headDim; d++) {
          least[kvHead][d][block] = Math.min(least[kvHead][d][block], key[d]);
          most[kvHead][d][block] = Math.max(most[kvHead][d][block], key[d]);
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
  public KeyBounds copy() {
    KeyBounds copy = new KeyBounds(keyBlock, least.length, headDim);
    for (int h = 0; h < least.length; h++) {
      for (int d = 0; d < headDim; d++) {
        copy.least[h][d] = Arrays.copyOf(least[h][d], blocks);
        copy.most[h][d] = Arrays.copyOf(most[h][d], blocks);
      }
    }
    copy.blocks = blocks;
    return copy;
  }

  @Override
  public long bytes() {
    return 2L * Float.BYTES * least.length * headDim * least[0][0].length;
  }
}
