package io.attention4j.kvcache;

import io.attention4j.engine.operator.KvUsage;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The pools of one factory, one per page size, over all layers and sessions. Safe for threads. */
final class PagePools {
  private final SlabMemory memory;
  private final Map<Long, PagePool> pools = new ConcurrentHashMap<>();

  PagePools(SlabMemory memory) {
    this.memory = memory;
  }

  PagePool of(PageLayout layout) {
    return pools.computeIfAbsent(layout.bytes(), bytes -> new PagePool(memory, bytes));
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
