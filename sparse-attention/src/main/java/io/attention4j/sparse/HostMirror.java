package io.attention4j.sparse;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * What a choice reads of a step, in memory of the host: queries, and the pages with keys and values
 * that are new to it. Memory of the host stands for itself; of a device's it is a copy, valid until
 * the next call. Not thread-safe.
 */
final class HostMirror implements AutoCloseable {
  private final Device device;
  private final int kvHeads;
  private PagedKv copies;
  private Arena rowArena;
  private Tensor rowCopies;
  private Arena pageArena;
  private MemorySegment pageBytes;

  HostMirror(Device device, int kvHeads) {
    this.device = device;
    this.kvHeads = kvHeads;
  }

  /** The first rows of an F32 tensor [rows, heads, dim]. */
  Tensor rows(Tensor x, int rows) {
    if (x.storage() instanceof Storage.Host) {
      return x;
    }
    if (rowCopies == null || rowCopies.extent(0) < rows) {
      if (rowArena != null) {
        rowArena.close();
      }
      rowArena = Arena.ofShared();
      rowCopies = Tensor.allocate(rowArena, DType.F32, 2L * rows, x.extent(1), x.extent(2));
    }
    Tensor read = x.slice(0, 0, rows);
    device.download(read, rowCopies.segment().asSlice(0, read.byteSize()));
    return rowCopies;
  }

  /** The pages of a sequence whose slots from {@code first} on can be read. */
  PagedKv pages(PagedKv pages, int sequence, long first) {
    if (!onDevice(pages, sequence)) {
      return pages;
    }
    reserve(bytes(pages, sequence, first));
    if (copies == null) {
      copies = new PagedKv(kvHeads);
    }
    copies.reset(pages.sequences());
    long at = 0;
    for (int head = 0; head < kvHeads; head++) {
      KvPage[] ofHead = new KvPage[pages.pageCount(sequence, head)];
      long slot = 0;
      for (int p = 0; p < ofHead.length; p++) {
        KvPage page = pages.page(sequence, head, p);
        slot += page.length();
        ofHead[p] = page;
        if (slot > first) {
          ofHead[p] = copy(page, at);
          at += bytes(page);
        }
      }
      copies.set(sequence, head, ofHead, ofHead.length);
    }
    return copies;
  }

  private boolean onDevice(PagedKv pages, int sequence) {
    return pages.pageCount(sequence, 0) > 0
        && pages.page(sequence, 0, 0).keys() instanceof Storage.Device;
  }

  private long bytes(PagedKv pages, int sequence, long first) {
    long bytes = 0;
    for (int head = 0; head < kvHeads; head++) {
      long slot = 0;
      for (int p = 0; p < pages.pageCount(sequence, head); p++) {
        KvPage page = pages.page(sequence, head, p);
        slot += page.length();
        bytes += slot > first ? bytes(page) : 0;
      }
    }
    return bytes;
  }

  private void reserve(long bytes) {
    if (pageBytes == null || pageBytes.byteSize() < bytes) {
      if (pageArena != null) {
        pageArena.close();
      }
      pageArena = Arena.ofShared();
      pageBytes = pageArena.allocate(2 * bytes, Tensor.ALIGNMENT_BYTES);
    }
  }

  private static long bytes(KvPage page) {
    return rounded(page.keyFormat(), page.capacity(), page.keyDim())
        + rounded(page.valueFormat(), page.capacity(), page.valueDim());
  }

  private static long rounded(KvFormat format, int capacity, int dim) {
    return (format.pageBytes(capacity, dim) + Tensor.ALIGNMENT_BYTES - 1) & -Tensor.ALIGNMENT_BYTES;
  }

  private KvPage copy(KvPage page, long at) {
    long valuesAt = at + rounded(page.keyFormat(), page.capacity(), page.keyDim());
    download(
        page.keys(),
        page.keyOffset(),
        page.keyFormat().pageBytes(page.capacity(), page.keyDim()),
        at);
    download(
        page.values(),
        page.valueOffset(),
        page.valueFormat().pageBytes(page.capacity(), page.valueDim()),
        valuesAt);
    Storage memory = new Storage.Host(pageBytes);
    KvPage copy =
        new KvPage(
            page.capacity(),
            memory,
            at,
            page.keyFormat(),
            page.keyDim(),
            memory,
            valuesAt,
            page.valueFormat(),
            page.valueDim());
    copy.length(page.length());
    copy.firstPosition(page.firstPosition());
    copy.positions(page.positions());
    copy.bias(page.bias());
    return copy;
  }

  private void download(Storage from, long offset, long bytes, long to) {
    Tensor source = Tensor.of(from, DType.I8, Shape.of(bytes), offset);
    device.download(source, pageBytes.asSlice(to, bytes));
  }

  @Override
  public void close() {
    if (rowArena != null) {
      rowArena.close();
    }
    if (pageArena != null) {
      pageArena.close();
    }
  }
}
