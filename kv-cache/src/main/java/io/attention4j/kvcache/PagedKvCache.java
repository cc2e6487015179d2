package io.attention4j.kvcache;

import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.Truncation;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.engine.tensor.Tensor;
import java.io.IOException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.Arrays;

/**
 * A cache of fixed-size pages per KV head (Kwon et al. 2023, arXiv 2309.06180). A fork shares all
 * pages; whoever appends to a shared page first copies it.
 */
final class PagedKvCache implements KvCache {
  private final Device device;
  private final KvWriteKernel writer;
  private final PagePool pool;
  private final PageLayout layout;
  private final int kvHeads;
  private final int maxTokens;
  private final KvPage[][] pages;
  private final PageBuffer[][] buffers;
  private int pageCount;
  private int length;
  private boolean closed;

  PagedKvCache(
      Device device,
      KvWriteKernel writer,
      PagePool pool,
      PageLayout layout,
      int kvHeads,
      int maxTokens) {
    this.device = device;
    this.writer = writer;
    this.pool = pool;
    this.layout = layout;
    this.kvHeads = kvHeads;
    this.maxTokens = maxTokens;
    this.pages = new KvPage[kvHeads][4];
    this.buffers = new PageBuffer[kvHeads][4];
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public void append(Tensor k, Tensor v, int row, int count) {
    requireOpen();
    KvRoom.require(length, count, maxTokens);
    boolean complete = false;
    try {
      write(k, v, row, count);
      length += count;
      complete = true;
    } finally {
      if (!complete) {
        truncateTo(length); // pages behind the tokens would count as filled
      }
    }
  }

  private void write(Tensor k, Tensor v, int row, int count) {
    int done = 0;
    while (done < count) {
      int slot = (length + done) % layout.capacity();
      int page = (length + done) / layout.capacity();
      int n = Math.min(count - done, layout.capacity() - slot);
      if (page == pageCount) {
        addPages(Math.ceilDiv(count - done, layout.capacity()));
      } else {
        ownPage(page);
      }
      for (int head = 0; head < kvHeads; head++) {
        KvPage target = pages[head][page];
        writer.write(k, v, row + done, n, head, target, slot);
        target.length(slot + n);
      }
      done += n;
    }
  }

  /** Head by head, so that what follows one another in attention does in memory. */
  private void addPages(int count) {
    int end = pageCount + count;
    for (int head = 0; head < kvHeads && end > pages[head].length; head++) {
      int room = Math.max(end, 2 * pageCount);
      pages[head] = Arrays.copyOf(pages[head], room);
      buffers[head] = Arrays.copyOf(buffers[head], room);
    }
    int taken = 0;
    try {
      for (; taken < kvHeads * count; taken++) {
        view(taken / count, pageCount + taken % count, pool.take(), 0);
      }
      pageCount = end;
    } finally {
      if (taken < kvHeads * count) { // out of memory: give back what was taken
        for (int i = 0; i < taken; i++) {
          pool.release(buffers[i / count][pageCount + i % count]);
        }
      }
    }
  }

  /** Copies a page that a fork shares, so that writing to it changes nobody else's tokens. */
  private void ownPage(int page) {
    for (int head = 0; head < kvHeads; head++) {
      PageBuffer shared = buffers[head][page];
      if (pool.isShared(shared)) {
        KvPage old = pages[head][page];
        view(head, page, pool.take(), old.length());
        PageLayout.copySlots(device, old, pages[head][page], old.length());
        pool.release(shared);
      }
    }
  }

  private void view(int head, int page, PageBuffer buffer, int slots) {
    buffers[head][page] = buffer;
    pages[head][page] = layout.page(buffer);
    pages[head][page].firstPosition((long) page * layout.capacity());
    pages[head][page].length(slots);
  }

  @Override
  public void fill(PagedKv table, int sequence) {
    requireOpen();
    for (int head = 0; head < kvHeads; head++) {
      table.set(sequence, head, pages[head], pageCount);
    }
  }

  @Override
  public KvCache fork() {
    requireOpen();
    PagedKvCache copy = new PagedKvCache(device, writer, pool, layout, kvHeads, maxTokens);
    for (int head = 0; head < kvHeads; head++) {
      copy.pages[head] = new KvPage[pages[head].length];
      copy.buffers[head] = new PageBuffer[pages[head].length];
      for (int page = 0; page < pageCount; page++) {
        pool.share(buffers[head][page]);
        copy.view(head, page, buffers[head][page], pages[head][page].length());
      }
    }
    copy.pageCount = pageCount;
    copy.length = length;
    return copy;
  }

  @Override
  public Truncation truncateTo(long newLength) {
    requireOpen();
    KvRoom.requireTruncation(newLength, length);
    int keep = (int) ((newLength + layout.capacity() - 1) / layout.capacity());
    for (int head = 0; head < kvHeads; head++) {
      for (int page = keep; page < pageCount; page++) {
        pool.release(buffers[head][page]);
        buffers[head][page] = null;
        pages[head][page] = null;
      }
      if (keep > 0) {
        pages[head][keep - 1].length((int) (newLength - (long) (keep - 1) * layout.capacity()));
      }
    }
    pageCount = keep;
    length = (int) newLength;
    return new Truncation.Done();
  }

  @Override
  public void save(WritableByteChannel channel) throws IOException {
    requireOpen();
    KvSnapshot.save(channel, device, layout, pages, pageCount, length);
  }

  @Override
  public void load(ReadableByteChannel channel) throws IOException {
    truncateTo(0);
    boolean whole = false;
    try {
      int tokens = KvSnapshot.readHeader(channel, layout, kvHeads, maxTokens);
      addPages(Math.ceilDiv(tokens, layout.capacity()));
      for (int page = 0; page < pageCount; page++) {
        int slots = Math.min(tokens - length, layout.capacity());
        for (int head = 0; head < kvHeads; head++) {
          pages[head][page].length(slots);
        }
        length += slots;
      }
      KvSnapshot.readSlots(channel, device, pages, pageCount);
      whole = true;
    } finally {
      if (!whole) {
        truncateTo(0);
      }
    }
  }

  @Override
  public long bytes() {
    return (long) kvHeads * pageCount * layout.bytes();
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("this KV cache is closed");
    }
  }

  @Override
  public void close() {
    if (!closed) {
      truncateTo(0);
      closed = true;
    }
  }
}
