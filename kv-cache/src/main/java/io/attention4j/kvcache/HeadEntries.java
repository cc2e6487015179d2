package io.attention4j.kvcache;

import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.engine.tensor.Tensor;
import java.util.Arrays;
import java.util.BitSet;

/**
 * The entries of one KV head in pages of its own, all full but the last. An entry that is dropped
 * is overwritten by the last one, so that dropping costs as many copies as entries go, at most;
 * attention does not care for order and every entry carries its position. Pages that a fork shares
 * are copied before they change.
 */
final class HeadEntries {
  private final Device device;
  private final PagePool pool;
  private final PageLayout layout;
  private KvPage[] pages = new KvPage[4];
  private PageBuffer[] buffers = new PageBuffer[4];
  private float[][] scores = new float[4][];
  private int pageCount;
  private int count;

  HeadEntries(Device device, PagePool pool, PageLayout layout) {
    this.device = device;
    this.pool = pool;
    this.layout = layout;
  }

  int count() {
    return count;
  }

  int pageCount() {
    return pageCount;
  }

  KvPage[] pages() {
    return pages;
  }

  KvPage page(int entry) {
    return pages[entry / layout.capacity()];
  }

  int slot(int entry) {
    return entry % layout.capacity();
  }

  long position(int entry) {
    return page(entry).position(slot(entry));
  }

  float score(int entry) {
    float[] page = scores[entry / layout.capacity()];
    return page == null ? 0 : page[slot(entry)];
  }

  void score(int entry, float value) {
    int page = entry / layout.capacity();
    if (scores[page] == null) {
      scores[page] = new float[layout.capacity()];
    }
    scores[page][slot(entry)] = value;
  }

  /** Adds tokens behind the last entry; if it throws, the entries are as before. */
  void append(
      KvWriteKernel writer, Tensor k, Tensor v, int row, int rows, int kvHead, long position) {
    int before = count;
    try {
      for (int done = 0; done < rows; ) {
        int slot = slot(count);
        int n = Math.min(rows - done, layout.capacity() - slot);
        int page = extend(n, position + done);
        writer.write(k, v, row + done, n, kvHead, pages[page], slot);
        done += n;
      }
    } catch (RuntimeException | Error e) {
      shrink(before);
      throw e;
    }
  }

  /**
   * Makes room for entries of consecutive positions behind the last one, within one page; returns
   * the page.
   */
  int extend(int entries, long position) {
    int slot = slot(count);
    if (slot == 0) {
      addPage();
    } else {
      own(pageCount - 1);
    }
    int page = pageCount - 1;
    pages[page].length(slot + entries);
    for (int i = 0; i < entries; i++) {
      place(page, slot + i, position + i);
    }
    count += entries;
    return page;
  }

  private void addPage() {
    if (pageCount + 1 >= pages.length) { // one more than used: fill adds a page of its own
      pages = Arrays.copyOf(pages, 2 * pages.length);
      buffers = Arrays.copyOf(buffers, 2 * buffers.length);
      scores = Arrays.copyOf(scores, 2 * scores.length);
    }
    buffers[pageCount] = pool.take();
    pages[pageCount] = layout.page(buffers[pageCount]);
    scores[pageCount] = null;
    pageCount++;
  }

  /** Sets the position of a slot whose page holds the slots before it already. */
  private void place(int index, int slot, long position) {
    KvPage page = pages[index];
    if (page.positions() == null) {
      if (slot == 0 && page.length() <= 1) {
        page.firstPosition(position);
        return;
      }
      if (slot == 0 && count == index * layout.capacity()) { // the first of a new page
        page.firstPosition(position);
        return;
      }
      if (page.position(slot) == position) {
        return;
      }
      int[] all = new int[layout.capacity()];
      for (int i = 0; i < all.length; i++) {
        all[i] = (int) page.position(i);
      }
      page.positions(all);
    }
    page.positions()[slot] = Math.toIntExact(position);
  }

  private void own(int index) {
    PageBuffer shared = buffers[index];
    if (!pool.isShared(shared)) {
      return;
    }
    KvPage old = pages[index];
    buffers[index] = pool.take();
    pages[index] = view(buffers[index], old);
    PageLayout.copySlots(device, old, pages[index], old.length());
    pool.release(shared);
  }

  private KvPage view(PageBuffer buffer, KvPage like) {
    KvPage page = layout.page(buffer);
    page.length(like.length());
    page.firstPosition(like.firstPosition());
    page.positions(like.positions() == null ? null : like.positions().clone());
    return page;
  }

  /** Drops entries and frees the pages that become empty. */
  void drop(BitSet drops) {
    int kept = count - drops.cardinality();
    int tail = count - 1;
    for (int hole = drops.nextSetBit(0);
        hole >= 0 && hole < kept;
        hole = drops.nextSetBit(hole + 1)) {
      while (drops.get(tail)) {
        tail--;
      }
      move(tail--, hole);
    }
    shrink(kept);
  }

  private void move(int from, int to) {
    int target = to / layout.capacity();
    own(target);
    PageLayout.copySlot(device, page(from), slot(from), pages[target], slot(to));
    place(target, slot(to), position(from));
    if (scores[from / layout.capacity()] != null || scores[target] != null) {
      score(to, score(from));
    }
  }

  /** Forgets all entries from {@code newCount} on. */
  void shrink(int newCount) {
    int keep = Math.ceilDiv(newCount, layout.capacity());
    for (int page = keep; page < pageCount; page++) {
      pool.release(buffers[page]);
      buffers[page] = null;
      pages[page] = null;
      scores[page] = null;
    }
    pageCount = keep;
    count = newCount;
    if (keep > 0) {
      int filled = newCount - (keep - 1) * layout.capacity();
      pages[keep - 1].length(filled);
      if (scores[keep - 1] != null) {
        Arrays.fill(scores[keep - 1], filled, layout.capacity(), 0);
      }
    }
  }

  /** Drops the tokens from a position on. */
  void truncateTo(long length) {
    BitSet late = new BitSet();
    for (int entry = 0; entry < count; entry++) {
      if (position(entry) >= length) {
        late.set(entry);
      }
    }
    drop(late);
  }

  HeadEntries fork() {
    HeadEntries copy = new HeadEntries(device, pool, layout);
    copy.pages = new KvPage[pages.length];
    copy.buffers = Arrays.copyOf(buffers, buffers.length);
    copy.scores = new float[scores.length][];
    for (int page = 0; page < pageCount; page++) {
      pool.share(buffers[page]);
      copy.pages[page] = view(buffers[page], pages[page]);
      copy.scores[page] = scores[page] == null ? null : scores[page].clone();
    }
    copy.pageCount = pageCount;
    copy.count = count;
    return copy;
  }

  /** Enters the pages in the table, behind them the extra page if there is one. */
  void fill(PagedKv table, int sequence, int kvHead, KvPage extra) {
    pages[pageCount] = extra;
    table.set(sequence, kvHead, pages, extra == null ? pageCount : pageCount + 1);
  }

  /** Bytes of the pages and of what is kept beside them per slot. */
  long bytes() {
    long bytes = pageCount * layout.bytes();
    for (int page = 0; page < pageCount; page++) {
      long words = (pages[page].positions() == null ? 0 : 1) + (scores[page] == null ? 0 : 1);
      bytes += words * layout.capacity() * Integer.BYTES;
    }
    return bytes;
  }
}
