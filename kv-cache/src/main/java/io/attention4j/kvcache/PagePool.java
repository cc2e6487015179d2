package io.attention4j.kvcache;

import io.attention4j.engine.spi.Device;
import java.util.ArrayDeque;

/**
 * Pages of one size with reference counts. Memory comes in slabs; a page that nobody holds is
 * reused, and a slab is freed when its last page comes home, so that what a policy drops and what a
 * closed session held goes back to the machine. Thread-safe.
 */
final class PagePool {
  /** Memory that is allocated and freed at once. */
  static final class Slab {
    private final PagePool pool;
    private final Runnable owner;
    private final int pages;
    private final ArrayDeque<PageBuffer> free = new ArrayDeque<>();

    Slab(PagePool pool, Runnable owner, int pages) {
      this.pool = pool;
      this.owner = owner;
      this.pages = pages;
    }

    /** Where the pages come from. */
    PagePool pool() {
      return pool;
    }
  }

  private final SlabMemory memory;
  private final long pageBytes;

  /** Slabs with a free page, oldest first so that the younger ones empty. */
  private final ArrayDeque<Slab> open = new ArrayDeque<>();

  private long slabPages;
  private int held;

  PagePool(Device device, long pageBytes) {
    this(new SlabMemory.OnDevice(device), pageBytes);
  }

  PagePool(SlabMemory memory, long pageBytes) {
    this.memory = memory;
    this.pageBytes = pageBytes;
  }

  /** A page that the caller alone holds. */
  synchronized PageBuffer take() {
    if (open.isEmpty()) {
      open.addFirst(newSlab());
    }
    Slab slab = open.peekFirst();
    PageBuffer page = slab.free.pollFirst();
    if (slab.free.isEmpty()) {
      open.pollFirst();
    }
    page.references = 1;
    held++;
    return page;
  }

  private Slab newSlab() {
    int pages = (int) Math.max(1, memory.slabBytes(bytes()) / pageBytes);
    SlabMemory.Slab taken = memory.allocate(pages, pageBytes);
    Slab slab = new Slab(this, taken.owner(), pages);
    for (int i = 0; i < pages; i++) {
      slab.free.addLast(new PageBuffer(taken.pages().select(i), slab));
    }
    slabPages += pages;
    return slab;
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
    held--;
    Slab slab = page.slab;
    slab.free.addFirst(page);
    if (slab.free.size() == 1) {
      open.addLast(slab);
    }
    // One slab stays for the next page, unless nobody holds any.
    if (slab.free.size() == slab.pages && (open.size() > 1 || held == 0)) {
      open.remove(slab);
      free(slab);
    }
    if (held == 0) {
      open.forEach(this::free);
      open.clear();
    }
  }

  private void free(Slab slab) {
    slab.owner.run();
    slabPages -= slab.pages;
  }

  /** Pages that some cache holds. */
  synchronized int held() {
    return held;
  }

  /** Bytes taken from the machine, free pages of slabs in use counted. */
  synchronized long bytes() {
    return slabPages * pageBytes;
  }
}
