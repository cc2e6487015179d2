package io.attention4j.sparse;

import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
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

  /** Takes maxima of one region of tokens. */
  @FunctionalInterface
  interface Region {
    void take(int region, RegionMaxima maxima);
  }

  /** Takes the maxima of so many regions, on the device's workers; they start as of no token. */
  static void take(RegionStep step, int regions, Region region) {
    step.kernels()
        .workers()
        .run(
            regions,
            (i, _) -> {
              RegionMaxima maxima = new RegionMaxima(step);
              maxima.clear();
              region.take(i, maxima);
            });
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
  private void copyQuery(MemorySegment to, long at) {
    MemorySegment.copy(queryMax, 0, to, Tensor.FLOAT, at, queryMax.length);
  }

  /** Copies the maxima so far of keys, a KV head's for each of its query heads. */
  private void copyKey(MemorySegment to, long at) {
    for (int d = 0; d < queryMax.length; d += dim) {
      long target = at + (long) d * Float.BYTES;
      MemorySegment.copy(keyMax, d / dim / groupSize * dim, to, Tensor.FLOAT, target, dim);
    }
  }

  /** Maxima of some summaries, in the order of their slots; several threads may set them. */
  static final class Collected implements AutoCloseable {
    private final long rowBytes;
    private final Device.TensorArena arena;
    private final Tensor queries; // [summary, queryHeads, headDim]
    private final Tensor keys;

    /** For so many summaries. */
    Collected(RegionStep step, int count) {
      LayerShape shape = step.shape();
      rowBytes = (long) Float.BYTES * shape.queryHeads() * shape.headDim();
      arena = step.kernels().kernels().device().newArena();
      queries = arena.allocate(DType.F32, count, shape.queryHeads(), shape.headDim());
      keys = arena.allocate(DType.F32, count, shape.queryHeads(), shape.headDim());
    }

    void set(int index, RegionMaxima maxima) {
      maxima.copyQuery(queries.segment(), index * rowBytes);
      maxima.copyKey(keys.segment(), index * rowBytes);
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
      Tensor values =
          step.kernels().values(arena, queries, step.pages(), firstPosition, sees, groups);
      step.store(store).add(keys, values, positions);
    }

    @Override
    public void close() {
      arena.close();
    }
  }
}
