package io.attention4j.sparse;

import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.PagedKv;
import java.util.Arrays;

/** The hash bucket of every key of one sequence and layer, per KV head. Not thread-safe. */
final class KeyBuckets implements KeyMemory {
  private final AngularLsh lsh;
  private final short[][] buckets; // [kvHead][key]
  private final float[] key;
  private int keys;

  KeyBuckets(AngularLsh lsh, int kvHeads, int headDim) {
    this.lsh = lsh;
    buckets = new short[kvHeads][0];
    key = new float[headDim];
  }

  /** Bucket of each key of a KV head. Not a copy. */
  short[] of(int kvHead) {
    return buckets[kvHead];
  }

  @Override
  public void update(PagedKv pages, int sequence, long length) {
    int end = Math.toIntExact(length);
    for (int h = 0; h < buckets.length; h++) {
      if (buckets[h].length < end) {
        buckets[h] = Arrays.copyOf(buckets[h], Math.max(end, 2 * buckets[h].length));
      }
      int first = 0; // key at which the page begins
      for (int p = 0; p < pages.pageCount(sequence, h) && first < end; p++) {
        KvPage page = pages.page(sequence, h, p);
        for (int slot = Math.max(0, keys - first); slot < page.length(); slot++) {
          HostKeys.read(page, slot, key);
          buckets[h][first + slot] = (short) lsh.bucket(key, 0);
        }
        first += page.length();
      }
    }
    keys = end;
  }

  @Override
  public void truncateTo(long length) {
    keys = (int) Math.min(keys, length);
  }

  @Override
  public KeyMemory copy() {
    KeyBuckets copy = new KeyBuckets(lsh, buckets.length, key.length);
    for (int h = 0; h < buckets.length; h++) {
      copy.buckets[h] = Arrays.copyOf(buckets[h], keys);
    }
    copy.keys = keys;
    return copy;
  }

  @Override
  public long bytes() {
    return (long) Short.BYTES * buckets.length * buckets[0].length;
  }
}
