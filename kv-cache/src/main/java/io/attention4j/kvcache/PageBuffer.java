package io.attention4j.kvcache;

import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.tensor.Tensor;

/**
 * Memory of one page, shared by the caches that count it. Each cache looks at it through a {@link
 * KvPage} of its own, so that one may hold fewer of its slots than another.
 */
final class PageBuffer {
  final Tensor memory;
  final PagePool.Slab slab;

  /** Caches that hold this buffer; guarded by the pool. */
  int references;

  PageBuffer(Tensor memory, PagePool.Slab slab) {
    this.memory = memory;
    this.slab = slab;
  }

  /** Where it comes from. */
  PagePool pool() {
    return slab.pool();
  }
}
