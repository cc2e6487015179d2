package io.attention4j.kvcache;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvFormat.Grouped;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.KvCacheContext;
import io.attention4j.engine.operator.KvUsage;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.TokenRanker;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.KvWriteKernel;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Makes {@link StaircaseKvCache}s, whose pages are pooled by size over all layers and sessions. */
final class StaircaseCaches implements KvCache.Factory {
  private final KernelSelector kernels;
  private final BitSchedule schedule;
  private final int pageTokens;
  private final int layers;
  private final PagePools pools;
  private final TokenRanker ranker;

  /** With what shortens prompts, or null. */
  StaircaseCaches(
      KvCacheContext context,
      SlabMemory memory,
      BitSchedule schedule,
      int pageTokens,
      TokenRanker ranker) {
    if (pageTokens % Grouped.SEGMENT != 0 || pageTokens % schedule.group() != 0) {
      throw new IllegalArgumentException(
          "pages of "
              + pageTokens
              + " tokens do not fit the codecs "
              + BitSchedule.NAMES
              + ", which quantise whole pages; use page="
              + Math.max(Grouped.SEGMENT, schedule.group())
              + " or a multiple");
    }
    kernels = context.kernels();
    layers = context.layers();
    this.pools = new PagePools(memory);
    this.schedule = schedule;
    this.pageTokens = pageTokens;
    this.ranker = ranker;
  }

  @Override
  public Optional<TokenRanker> ranker() {
    return Optional.ofNullable(ranker);
  }

  @Override
  public KvFormat keyFormat() {
    return schedule.staircase(Grouped.Axis.CHANNEL);
  }

  @Override
  public KvFormat valueFormat() {
    return schedule.staircase(Grouped.Axis.TOKEN);
  }

  @Override
  public KvCache create(LayerShape shape) {
    List<PageLayout> layouts = new ArrayList<>();
    List<PagePool> ofLevels = new ArrayList<>();
    for (int level = 0; level < schedule.levels(); level++) {
      PageLayout layout = layout(shape, level);
      layouts.add(layout);
      ofLevels.add(pools.of(layout));
    }
    return new StaircaseKvCache(
        new StaircaseKvCache.Room(
            kernels.device(),
            kernels.select(KvWriteKernel.class, KvFormat.F16),
            schedule.ofLayer(shape.layer(), layers, pageTokens),
            layouts,
            ofLevels,
            shape.kvHeads(),
            shape.maxPositions()));
  }

  private PageLayout layout(LayerShape shape, int level) {
    return new PageLayout(
        pageTokens,
        schedule.keys(level),
        shape.headDim(),
        schedule.values(level),
        shape.valueDim());
  }

  @Override
  public KvUsage usage() {
    return pools.usage();
  }

  @Override
  public long memoryBytes(LayerShape shape, long tokens) {
    return pools.memoryBytes(bytes(shape, tokens));
  }

  /** What a cache holds after a prompt; until the prompt is whole it is that of F16. */
  @Override
  public long bytes(LayerShape shape, long tokens) {
    BitSchedule ofLayer = schedule.ofLayer(shape.layer(), layers, pageTokens);
    long bytes = 0;
    long left = Math.ceilDiv(tokens, pageTokens);
    for (int level = 0; level < schedule.levels(); level++) {
      int older = level + 1 < schedule.levels() ? ofLayer.pages(level + 1, tokens, pageTokens) : 0;
      bytes += (left - older) * shape.kvHeads() * layout(shape, level).bytes();
      left = older;
    }
    return bytes;
  }
}
