package io.attention4j.kvcache;

import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.tensor.Tensor;

/**
 * Memory of one page, shared by the caches that count it. Each cache looks at it through a {@link
 * KvPage} of its own, so that one may hold fewer of its slots than another.
 */
final class PageBuffer {
  /** The keys and, unless {@link #values} has them, the values behind them. */
  final Tensor memory;

  /** The values, or null. */
  final Tensor values;

  final PagePool.Slab slab;

  /** Caches that hold this buffer; guarded by the pool. */
  int references;

  PageBuffer(Tensor memory, Tensor values, PagePool.Slab slab) {
    this.memory = memory;
    this.values = values;
    this.slab = slab;
  }

  /** Where it comes from. */
  PagePool pool() {
    return slab.pool();
  }
}
