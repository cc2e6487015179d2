package io.attention4j.sparse;

import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.PagedKv;
import java.util.Arrays;

/**
 * The hash bucket of every key of one sequence and layer, per KV head, and the squared norm of its
 * value where samples are drawn by it. Not thread-safe.
 */
final class KeyBuckets implements KeyMemory {
  private final AngularLsh lsh;
  private final short[][] buckets; // [kvHead][key]
  private final float[][] valueNorms; // [kvHead][key], or null
  private final float[] key;
  private final float[] value;
  private int keys;

  /**
   * No keys.
   *
   * @param valueDim 0 where norms of values are not wanted
   */
  KeyBuckets(AngularLsh lsh, int kvHeads, int headDim, int valueDim) {
    this.lsh = lsh;
    valueNorms = valueDim == 0 ? null : new float[kvHeads][0];
    value = new float[valueDim];
    buckets = new short[kvHeads][0];
    key = new float[headDim];
  }

  /** Bucket of each key of a KV head. Not a copy. */
  short[] of(int kvHead) {
    return buckets[kvHead];
  }

  /** Squared norm of each value of a KV head. Not a copy. */
  float[] valueNorms(int kvHead) {
    return valueNorms[kvHead];
  }

  @Override
  public long unread() {
    return keys;
  }

  @Override
  public void update(PagedKv pages, int sequence, long length) {
    int end = Math.toIntExact(length);
    for (int h = 0; h < buckets.length; h++) {
      if (buckets[h].length < end) {
        buckets[h] = Arrays.copyOf(buckets[h], Math.max(end, 2 * buckets[h].length));
        if (valueNorms != null) {
          valueNorms[h] = Arrays.copyOf(valueNorms[h], buckets[h].length);
        }
      }
      int first = 0; // key at which the page begins
      for (int p = 0; p < pages.pageCount(sequence, h) && first < end; p++) {
        KvPage page = pages.page(sequence, h, p);
        for (int slot = Math.max(0, keys - first); slot < page.length(); slot++) {
          HostKeys.read(page, slot, key);
          buckets[h][first + slot] = (short) lsh.bucket(key, 0);
          if (valueNorms != null) {
            HostKeys.readValue(page, slot, value);
            valueNorms[h][first + slot] = squaredNorm(value);
          }
        }
        first += page.length();
      }
    }
    keys = end;
  }

  private static float squaredNorm(float[] vector) {
    double sum = 0;
    for (float x : vector) {
      sum += (double) x * x;
    }
    return (float) sum;
  }

  @Override
  public void truncateTo(long length) {
    keys = (int) Math.min(keys, length);
  }

  @Override
  public KeyMemory copy() {
    KeyBuckets copy = new KeyBuckets(lsh, buckets.length, key.length, value.length);
    for (int h = 0; h < buckets.length; h++) {
      copy.buckets[h] = Arrays.copyOf(buckets[h], keys);
      if (valueNorms != null) {
        copy.valueNorms[h] = Arrays.copyOf(valueNorms[h], keys);
      }
    }
    copy.keys = keys;
    return copy;
  }

  @Override
  public long bytes() {
    int bytes = Short.BYTES + (valueNorms == null ? 0 : Float.BYTES);
    return (long) bytes * buckets.length * buckets[0].length;
  }
}
