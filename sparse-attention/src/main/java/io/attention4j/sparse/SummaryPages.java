package io.attention4j.sparse;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Keys and values that stand for regions of a sequence, in F32, as pages that any kernel reads.
 * Grows and is cut like a cache. Not thread-safe.
 */
final class SummaryPages implements AutoCloseable {
  private static final int PAGE_SLOTS = 128;

  /** Rows written for all heads before the next: their elements are neighbours in memory. */
  private static final int WRITE_ROWS = 8;

  private final KernelSelector kernels;
  private final int heads;
  private final int keyDim;
  private final int valueDim;
  private final KvWriteKernel writer;
  private final Device.TensorArena arena;
  private final List<KvPage[]> pages = new ArrayList<>(); // [page][head]
  private int count;

  SummaryPages(KernelSelector kernels, int heads, int keyDim, int valueDim) {
    this.kernels = kernels;
    this.heads = heads;
    this.keyDim = keyDim;
    this.valueDim = valueDim;
    writer = kernels.select(KvWriteKernel.class, KvFormat.F32);
    arena = kernels.device().newArena();
  }

  /** Another one, empty, of the same shape. */
  SummaryPages another() {
    return new SummaryPages(kernels, heads, keyDim, valueDim);
  }

  /** Summaries. */
  int count() {
    return count;
  }

  /**
   * Adds summaries.
   *
   * @param k F32 [&gt;= positions.length, heads, keyDim]
   * @param v F32 [&gt;= positions.length, heads, valueDim]
   * @param positions what masks take for the place of each
   */
  void add(Tensor k, Tensor v, int[] positions) {
    for (int row = 0; row < positions.length; ) {
      int slot = count % PAGE_SLOTS;
      if (count / PAGE_SLOTS == pages.size()) {
        pages.add(newPage());
      }
      int rows = Math.min(PAGE_SLOTS - slot, positions.length - row);
      KvPage[] page = pages.get(count / PAGE_SLOTS);
      System.arraycopy(positions, row, page[0].positions(), slot, rows);
      write(k, v, row, rows, page, slot);
      for (KvPage ofHead : page) {
        ofHead.length(slot + rows);
      }
      count += rows;
      row += rows;
    }
  }

  private void write(Tensor k, Tensor v, int row, int rows, KvPage[] page, int slot) {
    if (page[0].keys() instanceof Storage.Host) {
      int firstRow = row;
      kernels
          .device()
          .workers()
          .run(
              heads,
              (h, _) -> {
                KvPage to = page[h];
                copy(k, firstRow, rows, h, keyDim, to.keys(), to.keyOffset(), slot);
                copy(v, firstRow, rows, h, valueDim, to.values(), to.valueOffset(), slot);
              });
      return;
    }
    for (int from = 0; from < rows; from += WRITE_ROWS) {
      int written = Math.min(WRITE_ROWS, rows - from);
      for (int h = 0; h < heads; h++) {
        writer.write(k, v, row + from, written, h, page[h], slot + from);
      }
    }
  }

  private void copy(
      Tensor rows, int first, int count, int head, int dim, Storage page, long offset, int slot) {
    MemorySegment to = ((Storage.Host) page).segment();
    long bytes = (long) dim * Float.BYTES;
    for (int i = 0; i < count; i++) {
      long from = ((long) (first + i) * heads + head) * bytes;
      MemorySegment.copy(rows.segment(), from, to, offset + (slot + i) * bytes, bytes);
    }
  }

  private KvPage[] newPage() {
    KvPage[] page = new KvPage[heads];
    int[] positions = new int[PAGE_SLOTS]; // heads share them
    for (int h = 0; h < heads; h++) {
      Tensor keys = arena.allocate(DType.F32, PAGE_SLOTS, keyDim);
      Tensor values = arena.allocate(DType.F32, PAGE_SLOTS, valueDim);
      page[h] =
          new KvPage(
              PAGE_SLOTS,
              keys.storage(),
              keys.byteOffset(),
              KvFormat.F32,
              keyDim,
              values.storage(),
              values.byteOffset(),
              KvFormat.F32,
              valueDim);
      page[h].positions(positions);
    }
    return page;
  }

  /** Forgets all but the first ones. */
  void truncateTo(long kept) {
    count = (int) Math.min(count, kept);
    for (int p = 0; p < pages.size(); p++) {
      for (KvPage page : pages.get(p)) {
        page.length(Math.clamp(count - p * PAGE_SLOTS, 0, PAGE_SLOTS));
      }
    }
  }

  /** Enters these, one after the other, as the pages of sequence 0 of a table. */
  static void fill(PagedKv table, List<SummaryPages> stores) {
    table.reset(1);
    for (int h = 0; h < table.kvHeads(); h++) {
      List<KvPage> all = new ArrayList<>();
      for (SummaryPages store : stores) {
        for (int p = 0; p * PAGE_SLOTS < store.count; p++) {
          all.add(store.pages.get(p)[h]);
        }
      }
      table.set(0, h, all.toArray(KvPage[]::new), all.size());
    }
  }

  /** Bytes held. */
  long bytes() {
    return (long) pages.size() * PAGE_SLOTS * heads * (keyDim + valueDim) * Float.BYTES;
  }

  @Override
  public void close() {
    arena.close();
  }
}
