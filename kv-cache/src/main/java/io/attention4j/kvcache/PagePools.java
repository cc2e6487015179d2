package io.attention4j.kvcache;

import io.attention4j.engine.operator.KvUsage;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The pools of one factory, one per size of pages, over all layers and sessions. Safe for threads.
 */
final class PagePools {
  private final SlabMemory memory;
  private final Map<Sizes, PagePool> pools = new ConcurrentHashMap<>();

  private record Sizes(long keyBytes, long pageBytes) {}

  PagePools(SlabMemory memory) {
    this.memory = memory;
  }

  PagePool of(PageLayout layout) {
    return pools.computeIfAbsent(
        new Sizes(layout.valueOffset(), layout.bytes()),
        sizes -> new PagePool(memory, sizes.keyBytes, sizes.pageBytes));
  }

  KvUsage usage() {
    long bytes = pools.values().stream().mapToLong(PagePool::bytes).sum();
    return memory.inFile() ? new KvUsage(0, bytes, 0, 0, 0, 0) : KvUsage.inMemory(bytes);
  }

  /** The part of so many bytes of pages that must fit memory. */
  long memoryBytes(long bytes) {
    return memory.inFile() ? 0 : bytes;
  }
}
