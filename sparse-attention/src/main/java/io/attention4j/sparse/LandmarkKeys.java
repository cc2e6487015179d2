package io.attention4j.sparse;

import io.attention4j.engine.attention.PagedKv;
import java.util.Arrays;

/**
 * The keys of the landmarks of one sequence and layer, per KV head: as the cache stores them, and
 * moved to the landmark's place of block 0. Not thread-safe.
 */
final class LandmarkKeys implements KeyMemory {
  private final int block;
  private final int dim;
  private final float[][] keys; // [kvHead][block * dim]
  private final float[][] moved;
  private final float[] key;
  private final double[] x;
  private Rotation rotation = Rotation.NONE;
  private int blocks;

  LandmarkKeys(int block, int kvHeads, int dim) {
    this.block = block;
    this.dim = dim;
    keys = new float[kvHeads][0];
    moved = new float[kvHeads][0];
    key = new float[dim];
    x = new double[dim];
  }

  @Override
  public void rotation(Rotation ofKeys) {
    rotation = ofKeys;
  }

  /** Landmarks of complete blocks. */
  int blocks() {
    return blocks;
  }

  /** The keys of a KV head's landmarks, [block * headDim], of {@link #blocks} blocks and more. */
  float[] keys(int kvHead) {
    return keys[kvHead];
  }

  /** Dot product of a query with a landmark's key. */
  double dot(int kvHead, int ofBlock, double[] query) {
    return dot(keys[kvHead], ofBlock, query);
  }

  /** Dot product with the key as the landmark of block 0 would have it. */
  double movedDot(int kvHead, int ofBlock, double[] query) {
    return dot(moved[kvHead], ofBlock, query);
  }

  private double dot(float[] landmarks, int ofBlock, double[] query) {
    double dot = 0;
    for (int d = 0; d < dim; d++) {
      dot += query[d] * landmarks[ofBlock * dim + d];
    }
    return dot;
  }

  @Override
  public void update(PagedKv pages, int sequence, long length) {
    int complete = (int) (length / block);
    if (complete <= blocks) {
      return;
    }
    for (int h = 0; h < keys.length; h++) {
      int needed = complete * dim;
      if (keys[h].length < needed) {
        keys[h] = Arrays.copyOf(keys[h], Math.max(needed, 2 * keys[h].length));
        moved[h] = Arrays.copyOf(moved[h], keys[h].length);
      }
      KeyCursor cursor = new KeyCursor(pages, sequence, h);
      for (int b = blocks; b < complete; b++) {
        long position = (b + 1L) * block - 1;
        cursor.key(position, key);
        System.arraycopy(key, 0, keys[h], b * dim, dim);
        for (int d = 0; d < dim; d++) {
          x[d] = key[d];
        }
        rotation.unrotate(x, position);
        rotation.rotate(x, block - 1);
        for (int d = 0; d < dim; d++) {
          moved[h][b * dim + d] = (float) x[d];
        }
      }
    }
    blocks = complete;
  }

  @Override
  public void truncateTo(long length) {
    blocks = (int) Math.min(blocks, length / block);
  }

  @Override
  public LandmarkKeys copy() {
    LandmarkKeys copy = new LandmarkKeys(block, keys.length, dim);
    for (int h = 0; h < keys.length; h++) {
      copy.keys[h] = Arrays.copyOf(keys[h], blocks * dim);
      copy.moved[h] = Arrays.copyOf(moved[h], blocks * dim);
    }
    copy.blocks = blocks;
    return copy;
  }

  @Override
  public long bytes() {
    return 2L * Float.BYTES * keys.length * keys[0].length;
  }
}
