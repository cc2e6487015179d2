package io.attention4j.sparse;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.BlockMaxima;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * The truth that a gate of block-sparse attention predicts (SeerAttention, Gao et al. 2024, arXiv
 * 2410.13276, section 3.2): of dense attention, the largest weight of every (query block, key
 * block). The attention kernel computes it beside its output, without a matrix of weights. For
 * judging a gate, for training one, and in place of one ({@code gate=oracle}). Not thread-safe.
 */
public final class BlockAttention implements AutoCloseable {
  /** Rows whose maxima are held at a time, and more only to fill a query block. */
  private static final int ROWS = 1024;

  private final LayerShape shape;
  private final KernelSelector kernels;
  private final AttentionPlan plan;
  private final AttentionBatch batch = new AttentionBatch();
  private final PagedKv pages;

  /** Takes the largest weights of a query block. */
  @FunctionalInterface
  public interface Sink {
    /**
     * The weights of one query block and head.
     *
     * @param queryBlock number of the block among those of the rows
     * @param queryHead query head
     * @param largest largest weight in each key block of the sequence; reused
     */
    void accept(int queryBlock, int queryHead, float[] largest);
  }

  /**
   * For a layer on some kernels.
   *
   * @param caches what the pages come from
   * @throws IllegalArgumentException if the kernels refuse the layer
   */
  public BlockAttention(LayerShape shape, KvCache.Factory caches, KernelSelector kernels) {
    this.shape = shape;
    this.kernels = kernels;
    pages = new PagedKv(shape.kvHeads());
    AttentionSpec spec =
        new AttentionSpec(
            shape.queryHeads(),
            shape.kvHeads(),
            shape.headDim(),
            shape.valueDim(),
            shape.scale(),
            new Normalizer.Softmax(),
            shape.mask(),
            shape.modifiers(),
            shape.sinks(),
            caches.keyFormat(),
            caches.valueFormat(),
            AttentionSpec.SelectionKind.NONE);
    plan = kernels.select(AttentionKernel.class, spec).plan(spec);
  }

  /**
   * Attends densely and gives the largest weights of every query block, the first rows' first.
   *
   * @param q rotated queries, F32 [&gt;= rows, queryHeads, headDim]
   * @param rows rows of one sequence
   * @param firstPosition position of row 0
   * @param kv holds the keys of the sequence, these rows' too
   * @param sequence of kv
   * @param out F32 [&gt;= rows, queryHeads, valueDim], overwritten by dense attention
   * @param queryBlock rows per query block, counted from row 0; the last may have fewer
   * @param keyBlock keys per key block
   */
  public void run(
      Tensor q,
      int rows,
      long firstPosition,
      PagedKv kv,
      int sequence,
      Tensor out,
      int queryBlock,
      int keyBlock,
      Sink sink) {
    long keys = 0;
    pages.reset(1);
    for (int h = 0; h < kv.kvHeads(); h++) {
      KvPage[] ofHead = new KvPage[kv.pageCount(sequence, h)];
      for (int p = 0; p < ofHead.length; p++) {
        ofHead[p] = kv.page(sequence, h, p);
      }
      pages.set(0, h, ofHead, ofHead.length);
      keys = Math.max(keys, kv.length(sequence, h));
    }
    int blocks = (int) Math.ceilDiv(keys, keyBlock);
    int cut = (int) Math.min(rows, Math.max(1, ROWS / queryBlock) * (long) queryBlock);
    try (Device.TensorArena arena = kernels.device().newArena()) {
      Tensor lse = arena.allocate(DType.F32, cut, shape.queryHeads());
      Tensor scores = arena.allocate(DType.F32, cut, shape.queryHeads(), blocks);
      BlockMaxima maxima = new BlockMaxima(scores, keyBlock);
      for (int row = 0; row < rows; row += cut) {
        int count = Math.min(cut, rows - row);
        batch.reset();
        batch.add(count, firstPosition + row);
        plan.run(
            batch,
            new AttentionInputs(q.slice(0, row, count), pages, Selection.NONE),
            new AttentionOutputs(out.slice(0, row, count), lse, maxima));
        pool(row / queryBlock, count, queryBlock, lse, maxima, sink);
      }
    }
  }

  /** exp grows with its argument, so the largest difference is the largest weight's. */
  private void pool(
      int firstBlock, int rows, int queryBlock, Tensor lse, BlockMaxima maxima, Sink sink) {
    int heads = shape.queryHeads();
    int blocks = maxima.blocks();
    MemorySegment masses = lse.segment();
    float[] ofRow = new float[blocks];
    float[] largest = new float[blocks];
    for (int first = 0; first < rows; first += queryBlock) {
      for (int h = 0; h < heads; h++) {
        for (int row = first; row < Math.min(rows, first + queryBlock); row++) {
          long at = (long) row * heads + h;
          float mass = masses.getAtIndex(Tensor.FLOAT, at);
          MemorySegment.copy(
              maxima.scores().segment(), Tensor.FLOAT, at * blocks * Float.BYTES, ofRow, 0, blocks);
          for (int b = 0; b < blocks; b++) {
            float difference = ofRow[b] - mass;
            largest[b] = row == first ? difference : Math.max(largest[b], difference);
          }
        }
        for (int b = 0; b < blocks; b++) {
          largest[b] = (float) Math.exp(largest[b]);
        }
        sink.accept(firstBlock + first / queryBlock, h, largest);
      }
    }
  }

  @Override
  public void close() {
    plan.close();
  }
}
