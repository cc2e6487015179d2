package io.attention4j.kvcache;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.util.ArrayDeque;

/**
 * Pages of one size with reference counts. Memory comes in slabs; a page that nobody holds is
 * reused, and the slabs are freed together when the last page comes home, so that a closed session
 * gives its memory back. Thread-safe.
 */
final class PagePool {
  /** Slabs are about this large: few enough allocations, little waste in small models. */
  private static final long SLAB_BYTES = 1 << 20;

  private final Device device;
  private final long pageBytes;
  private final int pagesPerSlab;
  private final ArrayDeque<PageBuffer> free = new ArrayDeque<>();
  private Device.TensorArena arena;
  private int held;

  PagePool(Device device, long pageBytes) {
    this.device = device;
    this.pageBytes = pageBytes;
    this.pagesPerSlab = (int) Math.max(1, SLAB_BYTES / pageBytes);
  }

  /** A page that the caller alone holds. */
  synchronized PageBuffer take() {
    if (free.isEmpty()) {
      if (arena == null) {
        arena = device.newArena();
      }
      Tensor slab = arena.allocate(DType.I8, pagesPerSlab, pageBytes);
      for (int i = 0; i < pagesPerSlab; i++) {
        free.addLast(new PageBuffer(slab.select(i)));
      }
    }
    PageBuffer page = free.pollFirst();
    page.references = 1;
    held++;
    return page;
  }

  /** One more cache holds the page. */
  synchronized void share(PageBuffer page) {
    page.references++;
  }

  /** Whether another cache holds the page too. */
  synchronized boolean isShared(PageBuffer page) {
    return page.references > 1;
  }

  /** One cache fewer holds the page. */
  synchronized void release(PageBuffer page) {
    if (--page.references > 0) {
      return;
    }
    free.addFirst(page);
    if (--held == 0) {
      free.clear();
      arena.close();
      arena = null;
    }
  }

  /** Pages held by at least one cache. */
  synchronized int held() {
    return held;
  }
}
