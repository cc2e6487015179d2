package io.attention4j.sparse;

import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.Tensor;
import java.util.Arrays;

/**
 * Element-wise maxima of the queries and keys of tokens, which come one by one: the summary queries
 * and keys of {@link Combiner}. Keys are repeated for the query heads of a group.
 */
final class RegionMaxima {
  private final RegionState state;
  private final int dim;
  private final int groupSize;
  private final KeyCursor[] cursors;
  private final float[] key;
  private final float[] queryMax;
  private final float[] keyMax; // [kvHeads * dim]

  RegionMaxima(RegionStep step) {
    LayerShape shape = step.shape();
    state = step.state();
    dim = shape.headDim();
    groupSize = shape.queryHeads() / shape.kvHeads();
    key = new float[dim];
    queryMax = new float[shape.queryHeads() * dim];
    keyMax = new float[shape.kvHeads() * dim];
    cursors = new KeyCursor[shape.kvHeads()];
    for (int h = 0; h < cursors.length; h++) {
      cursors[h] = new KeyCursor(step.pages(), 0, h);
    }
  }

  /** Of no token. */
  void clear() {
    Arrays.fill(queryMax, Float.NEGATIVE_INFINITY);
    Arrays.fill(keyMax, Float.NEGATIVE_INFINITY);
  }

  /** Takes in a token. */
  void raise(int token) {
    state.raiseByQuery(token, queryMax);
    for (int h = 0; h < cursors.length; h++) {
      cursors[h].key(token, key);
      for (int d = 0; d < dim; d++) {
        keyMax[h * dim + d] = Math.max(keyMax[h * dim + d], key[d]);
      }
    }
  }

  /** Copies the maxima so far of queries, queryHeads * headDim elements. */
  private void copyQuery(float[] to, int at) {
    System.arraycopy(queryMax, 0, to, at, queryMax.length);
  }

  /** Copies the maxima so far of keys, a KV head's for each of its query heads. */
  private void copyKey(float[] to, int at) {
    for (int d = 0; d < queryMax.length; d += dim) {
      System.arraycopy(keyMax, d / dim / groupSize * dim, to, at + d, dim);
    }
  }

  /** Maxima of some summaries, in the order of their slots. */
  static final class Collected {
    private final int width;
    private final float[] queries; // [summary][queryHeads * headDim]
    private final float[] keys;

    /** For so many summaries. */
    Collected(RegionStep step, int count) {
      width = step.shape().queryHeads() * step.shape().headDim();
      queries = new float[Math.multiplyExact(count, width)];
      keys = new float[queries.length];
    }

    void set(int index, RegionMaxima maxima) {
      maxima.copyQuery(queries, index * width);
      maxima.copyKey(keys, index * width);
    }

    /**
     * Computes the values, each the attention of a summary query to keys of its region, and adds
     * the summaries to a store.
     *
     * @param groups rows count the summaries
     * @param firstPosition of summary 0, for sees
     * @param positions what masks take for the place of each
     */
    void addTo(
        int store,
        RegionStep step,
        RegionKernels.Sees sees,
        long firstPosition,
        KeyGroups groups,
        int[] positions) {
      RegionKernels kernels = step.kernels();
      try (Device.TensorArena arena = kernels.kernels().device().newArena()) {
        Tensor values = kernels.values(arena, queries, step.pages(), firstPosition, sees, groups);
        step.store(store)
            .add(kernels.upload(arena, keys, step.shape().headDim()), values, positions);
      }
    }
  }
}
