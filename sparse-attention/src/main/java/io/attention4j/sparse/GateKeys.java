package io.attention4j.sparse;

import io.attention4j.engine.attention.PagedKv;
import java.util.Arrays;

/**
 * The compressed keys of SeerAttention's gates: of every complete key block of one sequence and
 * layer, the maximum, minimum and mean of its keys before rotation, projected per gate head,
 * perhaps normalised, and rotated to the block's first position. Keys are taken from the cache and
 * turned back, so that nothing else need be kept or saved. Not thread-safe.
 */
final class GateKeys implements KeyMemory {
  private final Projection projection;
  private final int block;
  private final float[][] compressed; // [gateHead][block * gateDim]
  private final float[] key;
  private final double[] x;
  private final double[] pooled;
  private final double[] gateKey;
  private Rotation rotation = Rotation.NONE;
  private int blocks;
  private long length;

  /**
   * What turns pooled keys into gate keys.
   *
   * @param kvHeads KV heads
   * @param dim elements of a key
   * @param gateDim elements of a gate key
   * @param weights per gate head [3 * dim, gateDim], input-major
   * @param norm weights of an RMS norm [gateDim], or null for none
   * @param completing whether a block that single tokens complete is rotated to its last position,
   *     as the released decoding does
   */
  record Projection(
      int kvHeads, int dim, int gateDim, float[][] weights, float[] norm, boolean completing) {
    static final double NORM_EPS = 1e-6;

    /** Gate key of what was pooled. */
    void apply(int gateHead, double[] pooled, double[] gateKey) {
      project(weights[gateHead], pooled, gateKey);
      normalize(norm, gateKey);
    }

    /** y = x W. */
    static void project(float[] weights, double[] x, double[] y) {
      Arrays.fill(y, 0);
      for (int i = 0; i < x.length; i++) {
        for (int j = 0; j < y.length; j++) {
          y[j] += x[i] * weights[i * y.length + j];
        }
      }
    }

    static void normalize(float[] norm, double[] x) {
      if (norm == null) {
        return;
      }
      double square = 0;
      for (double value : x) {
        square += value * value;
      }
      double factor = 1 / Math.sqrt(square / x.length + NORM_EPS);
      for (int d = 0; d < x.length; d++) {
        x[d] *= factor * norm[d];
      }
    }
  }

  GateKeys(Projection projection, int block) {
    this.projection = projection;
    this.block = block;
    compressed = new float[projection.weights.length][0];
    key = new float[projection.dim];
    x = new double[projection.dim];
    pooled = new double[3 * projection.dim];
    gateKey = new double[projection.gateDim];
  }

  @Override
  public void rotation(Rotation ofKeys) {
    rotation = ofKeys;
  }

  /** Dot product of a gate query with the gate key of a complete block. */
  double dot(int gateHead, int ofBlock, double[] query) {
    float[] keys = compressed[gateHead];
    double dot = 0;
    for (int d = 0; d < query.length; d++) {
      dot += query[d] * keys[ofBlock * query.length + d];
    }
    return dot;
  }

  /** Dot product with the gate key of tokens [from, to), as of a block that begins there. */
  double dot(PagedKv pages, int sequence, int gateHead, long from, long to, double[] query) {
    KeyCursor cursor = new KeyCursor(pages, sequence, kvHead(gateHead));
    pool(cursor, from, to);
    projection.apply(gateHead, pooled, gateKey);
    rotation.halfSplit().rotate(gateKey, from);
    double dot = 0;
    for (int d = 0; d < query.length; d++) {
      dot += query[d] * gateKey[d];
    }
    return dot;
  }

  private int kvHead(int gateHead) {
    return gateHead / (compressed.length / projection.kvHeads);
  }

  /** Writes what a gate projects of tokens [from, to) of a KV head, 3 * headDim elements. */
  void pool(PagedKv pages, int sequence, int kvHead, long from, long to, double[] target) {
    pool(new KeyCursor(pages, sequence, kvHead), from, to);
    System.arraycopy(pooled, 0, target, 0, pooled.length);
  }

  private void pool(KeyCursor cursor, long from, long to) {
    int dim = projection.dim;
    Arrays.fill(pooled, 0, dim, Double.NEGATIVE_INFINITY);
    Arrays.fill(pooled, dim, 2 * dim, Double.POSITIVE_INFINITY);
    Arrays.fill(pooled, 2 * dim, 3 * dim, 0);
    for (long token = from; token < to; token++) {
      cursor.key(token, key);
      for (int d = 0; d < dim; d++) {
        x[d] = key[d];
      }
      rotation.unrotate(x, token);
      rotation.toHalfSplit(x);
      for (int d = 0; d < dim; d++) {
        pooled[d] = Math.max(pooled[d], x[d]);
        pooled[dim + d] = Math.min(pooled[dim + d], x[d]);
        pooled[2 * dim + d] += x[d] / (to - from);
      }
    }
  }

  @Override
  public long unread() {
    return (long) blocks * block;
  }

  @Override
  public void update(PagedKv pages, int sequence, long keys) {
    int complete = (int) (keys / block);
    boolean completing = projection.completing && keys == length + 1;
    length = keys;
    if (complete <= blocks) {
      return;
    }
    int groupSize = compressed.length / projection.kvHeads;
    for (int h = 0; h < compressed.length; h++) {
      int needed = complete * projection.gateDim;
      if (compressed[h].length < needed) {
        compressed[h] = Arrays.copyOf(compressed[h], Math.max(needed, 2 * compressed[h].length));
      }
    }
    for (int kvHead = 0; kvHead < projection.kvHeads; kvHead++) {
      KeyCursor cursor = new KeyCursor(pages, sequence, kvHead);
      for (int b = blocks; b < complete; b++) {
        long first = (long) b * block;
        pool(cursor, first, first + block);
        for (int h = kvHead * groupSize; h < (kvHead + 1) * groupSize; h++) {
          projection.apply(h, pooled, gateKey);
          rotation.halfSplit().rotate(gateKey, completing ? first + block - 1 : first);
          for (int d = 0; d < gateKey.length; d++) {
            compressed[h][b * gateKey.length + d] = (float) gateKey[d];
          }
        }
      }
    }
    blocks = complete;
  }

  @Override
  public void truncateTo(long keys) {
    blocks = (int) Math.min(blocks, keys / block);
    length = Math.min(length, keys);
  }

  @Override
  public GateKeys copy() {
    GateKeys copy = new GateKeys(projection, block);
    for (int h = 0; h < compressed.length; h++) {
      copy.compressed[h] = Arrays.copyOf(compressed[h], blocks * projection.gateDim);
    }
    copy.blocks = blocks;
    copy.length = length;
    return copy;
  }

  @Override
  public long bytes() {
    return (long) Float.BYTES * compressed.length * compressed[0].length;
  }
}
