package io.attention4j.benchmarks.sparse;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.kvcache.KvCaches;
import io.attention4j.sparse.BlockAttention;
import java.util.List;

/** Dense causal attention of a layer, with and without the largest weights of blocks beside it. */
final class TruthCost implements AutoCloseable {
  private final LayerData data;
  private final KvCache cache;
  private final PagedKv pages;
  private final AttentionPlan plan;
  private final BlockAttention truth;
  private final AttentionBatch batch = new AttentionBatch();
  private float sum;

  TruthCost(KernelSelector kernels, int tokens, int heads, int headDim) {
    data = LayerData.random(kernels.device(), tokens, heads, heads, headDim, 42);
    LayerShape shape =
        new LayerShape(
            0,
            heads,
            heads,
            headDim,
            headDim,
            (float) (1 / Math.sqrt(headDim)),
            new Mask.Causal(),
            List.of(),
            List.of(),
            null,
            tokens);
    KvCache.Factory caches = new KvCaches().create("contiguous+f32", kernels);
    cache = caches.create(shape);
    cache.append(data.k(), data.v(), 0, tokens);
    pages = new PagedKv(heads);
    pages.reset(1);
    cache.fill(pages, 0);
    batch.add(tokens, 0);
    AttentionSpec spec = AttentionSpec.builder(heads, heads, headDim).build();
    plan = kernels.select(AttentionKernel.class, spec).plan(spec);
    truth = new BlockAttention(shape, caches, kernels);
  }

  /** The output alone. */
  void dense() {
    plan.run(
        batch,
        new AttentionInputs(data.q(), pages, Selection.NONE),
        new AttentionOutputs(data.out(), null));
  }

  /** The output and the largest weight of every two blocks. */
  void truth(int block) {
    truth.run(
        data.q(),
        data.tokens(),
        0,
        pages,
        0,
        data.out(),
        block,
        block,
        (queryBlock, head, largest) -> sum += largest[0]);
  }

  @Override
  public void close() {
    truth.close();
    plan.close();
    cache.close();
    data.close();
  }
}
