package io.attention4j.kvcache;

import io.attention4j.engine.attention.GroupedPages;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.Truncation;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.engine.tensor.RowCodec;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.Arrays;
import java.util.List;

/**
 * A cache of pages per KV head whose bits step down with their distance from the newest token, as a
 * {@link BitSchedule} says. New tokens are written in F16; when a step's attention is done and its
 * prompt is whole, pages that have become old enough are quantised anew. So a prompt is computed at
 * full precision, whatever the size of its chunks, and takes the memory of F16 until it is whole;
 * its pages go to their level at once, while tokens that are decoded pass through all levels.
 *
 * <p>Which pages that are depends on the number of tokens alone. A page is never changed in place:
 * its codes go to a page of their own and a fork keeps those it had.
 */
final class StaircaseKvCache implements KvCache {
  /**
   * What all caches of a factory have in common.
   *
   * @param layouts of each level
   * @param pools of each level
   */
  record Room(
      Device device,
      KvWriteKernel writer,
      BitSchedule schedule,
      List<PageLayout> layouts,
      List<PagePool> pools,
      int kvHeads,
      int maxTokens) {
    int pageTokens() {
      return layouts.getFirst().capacity();
    }
  }

  private final Room room;
  private final int pageTokens;
  private final KvPage[][] pages;
  private final PageBuffer[][] buffers;
  private byte[] level = new byte[4];
  // Pages that are at least in each level.
  private final int[] reached;
  private int pageCount;
  private int length;
  private int quantisedAt;
  private boolean inPrompt;
  private boolean unattended;
  private boolean closed;

  StaircaseKvCache(Room room) {
    this.room = room;
    pageTokens = room.pageTokens();
    pages = new KvPage[room.kvHeads()][4];
    buffers = new PageBuffer[room.kvHeads()][4];
    reached = new int[room.schedule().levels()];
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public void append(Tensor k, Tensor v, int row, int count) {
    requireOpen();
    KvRoom.require(length, count, room.maxTokens());
    if (unattended) {
      throw new IllegalStateException(
          "the KV cache was not told of the attention of the last step; this attention operator"
              + " does not work with the codecs "
              + BitSchedule.NAMES
              + ", use softmax or another codec");
    }
    boolean complete = false;
    try {
      write(k, v, row, count);
      length += count;
      unattended = count > 0;
      complete = true;
    } finally {
      if (!complete) {
        shrink(length); // pages behind the tokens would count as filled
      }
    }
  }

  private void write(Tensor k, Tensor v, int row, int count) {
    int done = 0;
    while (done < count) {
      int slot = (length + done) % pageTokens;
      int page = (length + done) / pageTokens;
      int n = Math.min(count - done, pageTokens - slot);
      if (page == pageCount) {
        addPage(0);
      } else {
        ownPage(page);
      }
      for (int head = 0; head < pages.length; head++) {
        KvPage target = pages[head][page];
        room.writer().write(k, v, row + done, n, head, target, slot);
        target.length(slot + n);
      }
      done += n;
    }
  }

  /** Adds an empty page of a level. */
  void addPage(int atLevel) {
    if (pageCount == level.length) {
      for (int head = 0; head < pages.length; head++) {
        pages[head] = Arrays.copyOf(pages[head], 2 * pageCount);
        buffers[head] = Arrays.copyOf(buffers[head], 2 * pageCount);
      }
      level = Arrays.copyOf(level, 2 * pageCount);
    }
    PageBuffer[] taken = take(atLevel);
    level[pageCount] = (byte) atLevel;
    for (int head = 0; head < pages.length; head++) {
      view(head, pageCount, taken[head], 0);
    }
    pageCount++;
  }

  /** A page of a level for every head. */
  private PageBuffer[] take(int atLevel) {
    PagePool pool = room.pools().get(atLevel);
    PageBuffer[] taken = new PageBuffer[pages.length];
    int count = 0;
    try {
      for (; count < taken.length; count++) {
        taken[count] = pool.take();
      }
      return taken;
    } finally {
      for (int head = 0; count < taken.length && head < count; head++) {
        pool.release(taken[head]); // out of memory: give back what there is
      }
    }
  }

  /** Copies a page of level 0 that a fork shares. */
  private void ownPage(int page) {
    PagePool pool = room.pools().getFirst();
    for (int head = 0; head < pages.length; head++) {
      PageBuffer shared = buffers[head][page];
      if (pool.isShared(shared)) {
        KvPage old = pages[head][page];
        view(head, page, pool.take(), old.length());
        PageLayout.copySlots(room.device(), old, pages[head][page], old.length());
        pool.release(shared);
      }
    }
  }

  private void view(int head, int page, PageBuffer buffer, int slots) {
    buffers[head][page] = buffer;
    pages[head][page] = room.layouts().get(level[page]).page(buffer);
    pages[head][page].firstPosition((long) page * pageTokens);
    pages[head][page].length(slots);
  }

  @Override
  public void attended(LayerInputs in, int sequence, Tensor lse) {
    requireOpen();
    unattended = false;
    inPrompt = in.batch().continued(sequence);
    if (!inPrompt) {
      settle();
    }
  }

  /** Brings every page to the level of its distance, the oldest first. */
  private void settle() {
    for (int to = reached.length - 1; to > 0; to--) {
      int end = room.schedule().pages(to, length, pageTokens);
      for (int page = reached[to]; page < end; page++) {
        if (level[page] < to) {
          quantise(page, to);
          quantisedAt = length;
        }
        reached[to] = page + 1;
      }
    }
  }

  private void quantise(int page, int to) {
    PageBuffer[] taken = take(to);
    PageLayout layout = room.layouts().get(to);
    float[] rows = new float[pageTokens * Math.max(layout.keyDim(), layout.valueDim())];
    PagePool pool = room.pools().get(level[page]);
    level[page] = (byte) to;
    for (int head = 0; head < pages.length; head++) {
      KvPage old = pages[head][page];
      PageBuffer released = buffers[head][page];
      view(head, page, taken[head], pageTokens);
      KvPage next = pages[head][page];
      read(old.keyFormat(), old.keys(), old.keyOffset(), old.keyDim(), rows);
      write(next.keyFormat(), next.keys(), next.keyOffset(), next.keyDim(), rows);
      read(old.valueFormat(), old.values(), old.valueOffset(), old.valueDim(), rows);
      write(next.valueFormat(), next.values(), next.valueOffset(), next.valueDim(), rows);
      pool.release(released);
    }
  }

  private void read(KvFormat format, Storage storage, long at, int dim, float[] rows) {
    MemorySegment memory = host(storage);
    if (format instanceof KvFormat.Grouped grouped) {
      GroupedPages.decode(grouped, memory, at, pageTokens, dim, 0, pageTokens, rows, 0);
    } else {
      RowCodec.of(((KvFormat.Plain) format).dtype()).decode(memory, at, rows, 0, pageTokens * dim);
    }
  }

  private void write(KvFormat format, Storage storage, long at, int dim, float[] rows) {
    KvFormat.Grouped grouped = (KvFormat.Grouped) format;
    GroupedPages.encode(grouped, rows, pageTokens, pageTokens, dim, host(storage), at);
  }

  private static MemorySegment host(Storage storage) {
    return switch (storage) {
      case Storage.Host host -> host.segment();
      case Storage.Device device ->
          throw new IllegalStateException(
              "pages live on device "
                  + device.deviceId()
                  + ", but the codecs "
                  + BitSchedule.NAMES
                  + " quantise on the host; use kernels of the CPU");
    };
  }

  @Override
  public void fill(PagedKv table, int sequence) {
    requireOpen();
    for (int head = 0; head < pages.length; head++) {
      table.set(sequence, head, pages[head], pageCount);
    }
  }

  @Override
  public KvCache fork() {
    requireOpen();
    StaircaseKvCache copy = new StaircaseKvCache(room);
    copy.level = level.clone();
    for (int head = 0; head < pages.length; head++) {
      copy.pages[head] = new KvPage[level.length];
      copy.buffers[head] = new PageBuffer[level.length];
      for (int page = 0; page < pageCount; page++) {
        room.pools().get(level[page]).share(buffers[head][page]);
        copy.view(head, page, buffers[head][page], pages[head][page].length());
      }
    }
    System.arraycopy(reached, 0, copy.reached, 0, reached.length);
    copy.pageCount = pageCount;
    copy.length = length;
    copy.quantisedAt = quantisedAt;
    copy.inPrompt = inPrompt;
    copy.unattended = unattended;
    return copy;
  }

  @Override
  public Truncation truncateTo(long newLength) {
    requireOpen();
    KvRoom.requireTruncation(newLength, length);
    if (newLength > 0 && newLength < quantisedAt) {
      return new Truncation.Refused(
          "the KV cache has quantised pages since the first "
              + newLength
              + " tokens; they must be computed again",
          0);
    }
    if (newLength < length) {
      shrink((int) newLength);
      inPrompt = false;
    }
    unattended = false;
    return new Truncation.Done();
  }

  private void shrink(int newLength) {
    int keep = Math.ceilDiv(newLength, pageTokens);
    for (int page = keep; page < pageCount; page++) {
      PagePool pool = room.pools().get(level[page]);
      for (int head = 0; head < pages.length; head++) {
        pool.release(buffers[head][page]);
        buffers[head][page] = null;
        pages[head][page] = null;
      }
    }
    for (int head = 0; head < pages.length && keep > 0; head++) {
      pages[head][keep - 1].length(newLength - (keep - 1) * pageTokens);
    }
    pageCount = keep;
    length = newLength;
    if (newLength == 0) {
      Arrays.fill(reached, 0);
      quantisedAt = 0;
    }
  }

  @Override
  public void save(WritableByteChannel channel) throws IOException {
    requireOpen();
    if (inPrompt || unattended) {
      throw new IOException("a KV cache that quantises cannot be saved in the middle of a prompt");
    }
    StaircaseSnapshot.save(channel, this);
  }

  @Override
  public void load(ReadableByteChannel channel) throws IOException {
    requireOpen();
    shrink(0);
    inPrompt = false;
    unattended = false;
    boolean whole = false;
    try {
      StaircaseSnapshot.load(channel, this);
      whole = true;
    } finally {
      if (!whole) {
        shrink(0);
      }
    }
  }

  Room room() {
    return room;
  }

  int quantisedAt() {
    return quantisedAt;
  }

  int pageCount() {
    return pageCount;
  }

  KvPage page(int head, int page) {
    return pages[head][page];
  }

  /** Makes the pages of a cache that was saved with so many tokens, their contents to be read. */
  void restore(int tokens, int lastQuantised) {
    for (int page = 0; page * (long) pageTokens < tokens; page++) {
      addPage(room.schedule().level(page, tokens, pageTokens));
      for (KvPage[] head : pages) {
        head[page].length(Math.min(pageTokens, tokens - page * pageTokens));
      }
    }
    for (int to = 1; to < reached.length; to++) {
      reached[to] = room.schedule().pages(to, tokens, pageTokens);
    }
    length = tokens;
    quantisedAt = lastQuantised;
  }

  @Override
  public long bytes() {
    long bytes = 0;
    for (int page = 0; page < pageCount; page++) {
      bytes += pages.length * room.layouts().get(level[page]).bytes();
    }
    return bytes;
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("this KV cache is closed");
    }
  }

  @Override
  public void close() {
    if (!closed) {
      shrink(0);
      closed = true;
    }
  }
}
