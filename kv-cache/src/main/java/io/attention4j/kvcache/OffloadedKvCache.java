package io.attention4j.kvcache;

import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.Truncation;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.engine.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;

/**
 * A paged cache whose full pages live in a file; memory holds the page under way and what the last
 * step read (the slots of NOSI, arXiv 2510.13602). A step fetches what it reads and the last one
 * did not; a prompt, and a step that reads everything, may hold a whole layer until the next layer
 * has its turn. Pages that are not in memory read as NaN.
 */
final class OffloadedKvCache implements KvCache {
  /**
   * What the caches of one layer shape share.
   *
   * @param frames memory of pages that stay
   * @param passing memory of pages of a prompt, or of a step that reads everything
   */
  record Room(
      Device device,
      KvWriteKernel writer,
      Offload offload,
      PageLayout layout,
      PagePool frames,
      PagePool passing,
      LayerShape shape) {}

  /** A read under way. */
  private record Fetch(int head, int page, Future<?> done) {}

  private static final byte NAN = (byte) 0xFF; // in every format, of numbers or of their scales

  private static final System.Logger LOG = System.getLogger(OffloadedKvCache.class.getName());

  private final Room room;
  private final PageLayout layout;
  private final Offload offload;
  private final int kvHeads;
  private final KvPage[][] pages;
  private final PageBuffer[][] frames; // null where a page is not in memory
  private final FileBlock[][] blocks; // null where a page is not full
  private final BitSet[] chosen; // pages that the step reads, per head
  private final int[] loads; // of the step, per head
  private final List<Fetch> underWay = new ArrayList<>();
  private int pageCount;
  private int length;

  /** Stands in the table for pages that are not in memory; null until there are any. */
  private PageBuffer absent;

  /** Rows of the last append. */
  private int rows;

  /** Whether what is in memory is what a step of one row chose. */
  private boolean settled;

  private boolean closed;

  OffloadedKvCache(Room room) {
    this.room = room;
    layout = room.layout();
    offload = room.offload();
    kvHeads = room.shape().kvHeads();
    pages = new KvPage[kvHeads][4];
    frames = new PageBuffer[kvHeads][4];
    blocks = new FileBlock[kvHeads][4];
    chosen = new BitSet[kvHeads];
    Arrays.setAll(chosen, head -> new BitSet());
    loads = new int[kvHeads];
  }

  int layer() {
    return room.shape().layer();
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public void append(Tensor k, Tensor v, int row, int count) {
    requireOpen();
    KvRoom.require(length, count, room.shape().maxPositions());
    drain();
    offload.begin(this);
    rows = count;
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
    if (pageCount > offload.options().slots()) {
      offload.exceeds(this);
    }
  }

  private void write(Tensor k, Tensor v, int row, int count) {
    for (int done = 0; done < count; ) {
      int slot = (length + done) % layout.capacity();
      int page = (length + done) / layout.capacity();
      int n = Math.min(count - done, layout.capacity() - slot);
      if (page == pageCount) {
        reserve(page + 1);
        for (int head = 0; head < kvHeads; head++) {
          hold(head, page, room(rows > 1).take(), 0);
        }
        pageCount++;
      }
      for (int head = 0; head < kvHeads; head++) {
        own(head, page);
        room.writer().write(k, v, row + done, n, head, pages[head][page], slot);
        pages[head][page].length(slot + n);
        if (slot + n == layout.capacity()) {
          blocks[head][page] = offload.store(layout, frames[head][page]);
        }
      }
      done += n;
    }
  }

  private void reserve(int count) {
    if (count > pages[0].length) {
      int more = Math.max(count, 2 * pages[0].length);
      for (int head = 0; head < kvHeads; head++) {
        pages[head] = Arrays.copyOf(pages[head], more);
        frames[head] = Arrays.copyOf(frames[head], more);
        blocks[head] = Arrays.copyOf(blocks[head], more);
      }
    }
  }

  private PagePool room(boolean passing) {
    return passing ? room.passing() : room.frames();
  }

  private void hold(int head, int page, PageBuffer frame, int slots) {
    frames[head][page] = frame;
    pages[head][page] = view(page, frame.memory, slots);
  }

  private KvPage view(int page, Tensor memory, int slots) {
    KvPage view = layout.page(memory);
    view.firstPosition((long) page * layout.capacity());
    view.length(slots);
    return view;
  }

  /** Copies a page that a fork shares, or that is still being written to the file. */
  private void own(int head, int page) {
    if (frames[head][page].pool().isShared(frames[head][page])) {
      move(head, page, room.frames());
    }
  }

  private void move(int head, int page, PagePool to) {
    PageBuffer from = frames[head][page];
    KvPage old = pages[head][page];
    hold(head, page, to.take(), old.length());
    PageLayout.copySlots(room.device(), old, pages[head][page], old.length());
    from.pool().release(from);
  }

  /** Moves a page that stays to where pages stay. */
  private void stay(int head, int page) {
    if (frames[head][page].pool() == room.passing()) {
      move(head, page, room.frames());
    }
  }

  // What is in memory.

  /** Starts to read a page that is not in memory. */
  private void load(int head, int page, boolean passing) {
    PageBuffer frame = room(passing).take();
    hold(head, page, frame, layout.capacity());
    underWay.add(new Fetch(head, page, offload.fetch(layout, blocks[head][page], frame)));
  }

  /** Waits for what was started; pages that could not be read are not in memory. */
  private void await() {
    Throwable failure = drain();
    if (failure != null) {
      throw offload.failed("read", failure);
    }
  }

  private Throwable drain() {
    Throwable failure = null;
    for (Fetch fetch : underWay) {
      try {
        waitFor(fetch.done);
      } catch (ExecutionException e) {
        failure = e.getCause();
        forget(fetch.head, fetch.page);
      }
    }
    underWay.clear();
    return failure;
  }

  /** Waits however often the thread is interrupted, since memory is in use until the end. */
  private static void waitFor(Future<?> done) throws ExecutionException {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          done.get();
          return;
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private void forget(int head, int page) {
    frames[head][page].pool().release(frames[head][page]);
    frames[head][page] = null;
    pages[head][page] = view(page, absent(), layout.capacity());
  }

  private Tensor absent() {
    if (absent == null) {
      absent = room.frames().take();
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment bytes = arena.allocate(absent.memory.byteSize());
        room.device().upload(bytes.fill(NAN), absent.memory);
      }
    }
    return absent.memory;
  }

  /** Takes a full page out of memory once it is in the file. */
  private void evict(int head, int page) {
    if (blocks[head][page] == null) { // an earlier attempt to write it failed
      blocks[head][page] = offload.store(layout, frames[head][page]);
    }
    try {
      waitFor(blocks[head][page].written);
    } catch (ExecutionException e) {
      blocks[head][page].release();
      blocks[head][page] = null;
      throw offload.failed("written", e.getCause());
    }
    forget(head, page);
  }

  private boolean isFull(int page) {
    return length - (long) page * layout.capacity() >= layout.capacity();
  }

  /** Takes all out of memory but as many of the newest pages as there are slots. */
  void trim() {
    drain();
    for (int head = 0; head < kvHeads; head++) {
      trim(head);
    }
    offload.settles(this);
  }

  private void trim(int head) {
    int most = offload.options().slots() + 1; // one may have become full since the choice
    int kept = 0;
    for (int page = pageCount - 1; page >= 0; page--) {
      if (frames[head][page] != null && isFull(page) && ++kept > most) {
        evict(head, page);
        settled = false;
      } else if (frames[head][page] != null) {
        stay(head, page);
      }
    }
  }

  // What a step reads.

  @Override
  public void fill(PagedKv table, int sequence) {
    fillFrom(table, sequence, 0);
    offload.step(0);
  }

  @Override
  public void fillFrom(PagedKv table, int sequence, long first) {
    requireOpen();
    int from = (int) (first / layout.capacity());
    boolean passing = pageCount - from > offload.options().slots();
    for (int head = 0; head < kvHeads; head++) {
      for (int page = from; page < pageCount; page++) {
        if (frames[head][page] == null) {
          load(head, page, passing);
        }
      }
      chosen[head].clear();
    }
    Arrays.fill(loads, 0);
    await();
    if (passing) {
      offload.exceeds(this);
    }
    enter(table, sequence);
  }

  private void enter(PagedKv table, int sequence) {
    for (int head = 0; head < kvHeads; head++) {
      table.set(sequence, head, pages[head], pageCount);
    }
  }

  @Override
  public void prefetch(int kvHead, BitSet keyBlocks, int blockTokens) {
    requireOpen();
    int capacity = layout.capacity();
    for (int b = keyBlocks.nextSetBit(0); b >= 0; b = keyBlocks.nextSetBit(b + 1)) {
      long first = (long) b * blockTokens;
      long last = Math.min(length, first + blockTokens) - 1;
      for (int page = (int) (first / capacity); page <= last / capacity; page++) {
        if (!chosen[kvHead].get(page)) {
          chosen[kvHead].set(page);
          choose(kvHead, page);
        }
      }
    }
  }

  private void choose(int head, int page) {
    if (frames[head][page] != null && offload.options().refetch() && isFull(page)) {
      evict(head, page);
    }
    if (frames[head][page] == null) {
      load(head, page, rows > 1);
      loads[head]++;
    }
  }

  @Override
  public void fillChosen(PagedKv table, int sequence) {
    requireOpen();
    await();
    int most = 0;
    for (int head = 0; head < kvHeads; head++) {
      for (int page = 0; page < pageCount; page++) {
        if (frames[head][page] != null && isFull(page) && !chosen[head].get(page)) {
          evict(head, page);
        } else if (frames[head][page] != null && rows == 1) {
          stay(head, page);
        }
      }
      most = Math.max(most, loads[head]);
    }
    offload.step(settled && rows == 1 ? most : 0);
    settled = rows == 1;
    enter(table, sequence);
  }

  /** Full pages of a head that are in memory. */
  BitSet resident(int head) {
    BitSet resident = new BitSet();
    for (int page = 0; page < pageCount; page++) {
      if (frames[head][page] != null && isFull(page)) {
        resident.set(page);
      }
    }
    return resident;
  }

  // Copies.

  @Override
  public KvCache fork() {
    requireOpen();
    trim();
    OffloadedKvCache copy = new OffloadedKvCache(room);
    copy.reserve(pageCount);
    for (int head = 0; head < kvHeads; head++) {
      for (int page = 0; page < pageCount; page++) {
        if (frames[head][page] == null) {
          copy.pages[head][page] = view(page, copy.absent(), layout.capacity());
        } else {
          frames[head][page].pool().share(frames[head][page]);
          copy.hold(head, page, frames[head][page], pages[head][page].length());
        }
        if (blocks[head][page] != null) {
          blocks[head][page].share();
          copy.blocks[head][page] = blocks[head][page];
        }
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
    drain();
    int capacity = layout.capacity();
    int keep = (int) Math.ceilDiv(newLength, capacity);
    int last = keep - 1;
    boolean partial = keep > 0 && newLength % capacity != 0;
    for (int head = 0; partial && head < kvHeads; head++) {
      if (frames[head][last] == null) {
        load(head, last, false);
      }
    }
    await();
    for (int head = 0; head < kvHeads; head++) {
      for (int page = keep; page < pageCount; page++) {
        drop(head, page);
      }
      if (partial) {
        dropBlock(head, last);
        pages[head][last].length((int) (newLength % capacity));
      }
    }
    settled &= newLength == length;
    pageCount = keep;
    length = (int) newLength;
    if (keep == 0 && absent != null) {
      room.frames().release(absent);
      absent = null;
    }
    return new Truncation.Done();
  }

  private void drop(int head, int page) {
    dropBlock(head, page);
    PageBuffer frame = frames[head][page];
    if (frame != null) {
      frame.pool().release(frame);
    }
    frames[head][page] = null;
    pages[head][page] = null;
  }

  /** Ends with no write under way, so that what is dropped is free. */
  private void dropBlock(int head, int page) {
    FileBlock block = blocks[head][page];
    if (block != null) {
      blocks[head][page] = null;
      try {
        waitFor(block.written);
      } catch (ExecutionException e) {
        LOG.log(System.Logger.Level.DEBUG, "a page that is not needed was not written", e);
      } finally {
        block.release();
      }
    }
  }

  @Override
  public void save(WritableByteChannel channel) throws IOException {
    requireOpen();
    KvSnapshot.writeHeader(channel, layout, kvHeads, length);
    for (int head = 0; head < kvHeads; head++) {
      BitSet fetched = new BitSet();
      for (int page = 0; page < pageCount; page++) {
        if (frames[head][page] == null) {
          load(head, page, true);
          fetched.set(page);
        }
      }
      await();
      try {
        KvSnapshot.writeSlots(channel, room.device(), pages[head], pageCount);
      } finally {
        for (int page = fetched.nextSetBit(0); page >= 0; page = fetched.nextSetBit(page + 1)) {
          forget(head, page);
        }
      }
    }
  }

  @Override
  public void load(ReadableByteChannel channel) throws IOException {
    truncateTo(0);
    boolean whole = false;
    try {
      int tokens = KvSnapshot.readHeader(channel, layout, kvHeads, room.shape().maxPositions());
      int count = Math.ceilDiv(tokens, layout.capacity());
      reserve(count);
      pageCount = count;
      length = tokens;
      for (int head = 0; head < kvHeads; head++) {
        for (int page = 0; page < count; page++) {
          int slots = Math.min(layout.capacity(), tokens - page * layout.capacity());
          hold(head, page, room.passing().take(), slots);
        }
        KvSnapshot.readSlots(channel, room.device(), pages[head], count);
        for (int page = 0; page < count && isFull(page); page++) {
          blocks[head][page] = offload.store(layout, frames[head][page]);
        }
        trim(head);
      }
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
      offload.settles(this);
      closed = true;
    }
  }
}
