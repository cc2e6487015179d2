package io.attention4j.kvcache;

import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.Truncation;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.io.IOException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.concurrent.atomic.AtomicLong;

/**
 * One run of memory per KV head, which doubles when it is full: the simplest cache, and the layout
 * that kernels read fastest. A fork copies everything.
 */
final class ContiguousKvCache implements KvCache {
  private static final int FIRST_CAPACITY = 256;

  private final Device device;
  private final KvWriteKernel writer;
  private final PageLayout layout;
  private final int kvHeads;
  private final int maxTokens;
  private final AtomicLong live;
  private final KvPage[][] pages;
  private Device.TensorArena arena;
  private int capacity;
  private int length;
  private boolean closed;

  /**
   * An empty cache.
   *
   * @param layout its capacity does not matter
   * @param live bytes of all caches; this one adds its own
   */
  ContiguousKvCache(
      Device device,
      KvWriteKernel writer,
      PageLayout layout,
      int kvHeads,
      int maxTokens,
      AtomicLong live) {
    this.device = device;
    this.writer = writer;
    this.layout = layout;
    this.kvHeads = kvHeads;
    this.maxTokens = maxTokens;
    this.live = live;
    this.pages = new KvPage[kvHeads][1];
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public void append(Tensor k, Tensor v, int row, int count) {
    requireOpen();
    KvRoom.require(length, count, maxTokens);
    reserve(length + count);
    for (int head = 0; head < kvHeads; head++) {
      writer.write(k, v, row, count, head, pages[head][0], length);
      pages[head][0].length(length + count);
    }
    length += count;
  }

  private void reserve(int tokens) {
    if (tokens <= capacity) {
      return;
    }
    long doubled = Math.max(Math.max(FIRST_CAPACITY, 2L * capacity), tokens);
    int slots = (int) Math.min(doubled, maxTokens);
    PageLayout grown = layout.withCapacity(slots);
    Device.TensorArena next = device.newArena();
    Tensor memory;
    try {
      memory = next.allocate(DType.I8, kvHeads, grown.bytes());
    } catch (OutOfMemoryError e) {
      next.close();
      throw e;
    }
    for (int head = 0; head < kvHeads; head++) {
      KvPage page = grown.page(memory.select(head));
      if (length > 0) {
        PageLayout.copySlots(device, pages[head][0], page, length);
      }
      page.length(length);
      pages[head][0] = page;
    }
    if (arena != null) {
      arena.close();
    }
    live.addAndGet(kvHeads * grown.bytes() - bytes());
    arena = next;
    capacity = slots;
  }

  @Override
  public void fill(PagedKv table, int sequence) {
    requireOpen();
    for (int head = 0; head < kvHeads; head++) {
      table.set(sequence, head, pages[head], length == 0 ? 0 : 1);
    }
  }

  @Override
  public KvCache fork() {
    requireOpen();
    ContiguousKvCache copy =
        new ContiguousKvCache(device, writer, layout, kvHeads, maxTokens, live);
    copy.reserve(length);
    for (int head = 0; head < kvHeads && length > 0; head++) {
      PageLayout.copySlots(device, pages[head][0], copy.pages[head][0], length);
      copy.pages[head][0].length(length);
    }
    copy.length = length;
    return copy;
  }

  @Override
  public Truncation truncateTo(long newLength) {
    requireOpen();
    KvRoom.requireTruncation(newLength, length);
    length = (int) newLength;
    for (int head = 0; head < kvHeads && capacity > 0; head++) {
      pages[head][0].length(length);
    }
    return new Truncation.Done();
  }

  @Override
  public void save(WritableByteChannel channel) throws IOException {
    requireOpen();
    KvSnapshot.save(channel, device, layout, pages, length == 0 ? 0 : 1, length);
  }

  @Override
  public void load(ReadableByteChannel channel) throws IOException {
    truncateTo(0);
    boolean whole = false;
    try {
      int tokens = KvSnapshot.readHeader(channel, layout, kvHeads, maxTokens);
      reserve(tokens);
      for (int head = 0; head < kvHeads && tokens > 0; head++) {
        pages[head][0].length(tokens);
      }
      length = tokens;
      KvSnapshot.readSlots(channel, device, pages, tokens == 0 ? 0 : 1);
      whole = true;
    } finally {
      if (!whole) {
        truncateTo(0);
      }
    }
  }

  @Override
  public long bytes() {
    return capacity == 0 ? 0 : kvHeads * layout.withCapacity(capacity).bytes();
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("this KV cache is closed");
    }
  }

  @Override
  public void close() {
    closed = true;
    if (arena != null) {
      live.addAndGet(-bytes());
      arena.close();
      arena = null;
      capacity = 0;
    }
  }
}
