package io.attention4j.kvcache;

import io.attention4j.engine.operator.KvUsage;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What the offloaded caches of a model share: files, frames of memory where kernels read them, one
 * thread for input and output, and the count of what it costs. Reads and writes run in the order in
 * which they were asked for, so a page is read after it was written.
 */
final class Offload {
  private static final long IDLE_SECONDS = 2;

  private final BlockFile.Settings files;
  private final Options options;
  private final Map<Long, BlockFile> blockFiles = new ConcurrentHashMap<>();
  private final Map<Long, PagePool> framePools = new ConcurrentHashMap<>();
  private final Map<Long, PagePool> passingPools = new ConcurrentHashMap<>();
  private final Device device;
  private final SlabMemory memory;

  /** Blocks on their way between a file and a device; for the thread of input and output. */
  private MemorySegment staged;

  /** Caches that hold more pages in memory than their slots; for the thread that steps. */
  private final List<OffloadedKvCache> over = new ArrayList<>();

  private final AtomicLong fetchedBytes = new AtomicLong();
  private final AtomicLong storedBytes = new AtomicLong();
  private final AtomicLong steps = new AtomicLong();
  private final AtomicInteger mostFetched = new AtomicInteger();

  /** One thread, gone when there was nothing to do for a while. */
  private final ThreadPoolExecutor io =
      new ThreadPoolExecutor(
          1,
          1,
          IDLE_SECONDS,
          TimeUnit.SECONDS,
          new LinkedBlockingQueue<>(),
          task -> {
            Thread thread = new Thread(task, "attention4j-kv-io");
            thread.setDaemon(true);
            return thread;
          });

  /**
   * Settings.
   *
   * @param slots pages per KV head that stay in memory between steps, besides the one under way
   * @param refetch fetches everything that a step reads, as if nothing had stayed: the simple way,
   *     to compare with
   */
  record Options(int slots, boolean refetch) {}

  /** Frames are where the kernels of the device read. */
  Offload(BlockFile.Settings files, Options options, Device device) {
    this.files = files;
    this.options = options;
    this.device = device;
    memory =
        SlabMemory.isHost(device)
            ? new SlabMemory.Aligned(BlockFile.Settings.ALIGNMENT)
            : new SlabMemory.OnDevice(device);
    io.allowCoreThreadTimeOut(true);
  }

  Options options() {
    return options;
  }

  /** Bytes of a page in a file and of its frame: whole units of the disk. */
  static long blockBytes(PageLayout layout) {
    long unit = BlockFile.Settings.ALIGNMENT;
    return Math.ceilDiv(layout.bytes(), unit) * unit;
  }

  PagePool frames(PageLayout layout) {
    return framePools.computeIfAbsent(blockBytes(layout), bytes -> new PagePool(memory, bytes));
  }

  /**
   * Frames for a prompt and for steps that read everything: what stays of them moves to {@link
   * #frames}, since the memory of a few pages among many that went could not be freed.
   */
  PagePool passingFrames(PageLayout layout) {
    return passingPools.computeIfAbsent(blockBytes(layout), bytes -> new PagePool(memory, bytes));
  }

  private BlockFile file(PageLayout layout) {
    return blockFiles.computeIfAbsent(blockBytes(layout), bytes -> new BlockFile(files, bytes));
  }

  /**
   * Starts to write a full page; its frame stays until it is written.
   *
   * @throws IllegalStateException if there is no room on the disk
   */
  FileBlock store(PageLayout layout, PageBuffer frame) {
    BlockFile file = file(layout);
    PagePool pool = frame.pool();
    int index;
    try {
      index = file.take();
    } catch (IOException e) {
      throw files.folder().failed("written", e);
    }
    pool.share(frame);
    Tensor source = frame.memory;
    Future<?> written =
        io.submit(
            () -> {
              try {
                file.write(index, hostBytes(source));
                storedBytes.addAndGet(source.byteSize());
              } finally {
                pool.release(frame);
              }
              return null;
            });
    return new FileBlock(file, index, written);
  }

  /** Starts to read a page into a frame that the caller holds until the future is done. */
  Future<?> fetch(PageLayout layout, FileBlock block, PageBuffer frame) {
    BlockFile file = file(layout);
    Tensor target = frame.memory;
    return io.submit(
        () -> {
          if (target.storage() instanceof Storage.Host) {
            file.read(block.index, segment(target));
          } else {
            MemorySegment bytes = staging(target.byteSize());
            file.read(block.index, bytes);
            device.upload(bytes, target);
          }
          fetchedBytes.addAndGet(target.byteSize());
          return null;
        });
  }

  /** What a frame holds, in host memory until the next use of {@link #staged}. */
  private MemorySegment hostBytes(Tensor frame) {
    if (frame.storage() instanceof Storage.Host) {
      return segment(frame);
    }
    MemorySegment bytes = staging(frame.byteSize());
    device.download(frame, bytes);
    return bytes;
  }

  private MemorySegment staging(long bytes) {
    if (staged == null || staged.byteSize() < bytes) {
      staged = Arena.ofAuto().allocate(bytes, BlockFile.Settings.ALIGNMENT);
    }
    return staged.asSlice(0, bytes);
  }

  private static MemorySegment segment(Tensor frame) {
    return frame.segment().asSlice(0, frame.byteSize());
  }

  IllegalStateException failed(String what, Throwable cause) {
    IOException io = cause instanceof IOException e ? e : new IOException(cause);
    return files.folder().failed(what, io);
  }

  /**
   * A cache begins a step. Caches of other layers have had theirs, so what they hold beyond their
   * slots goes; those of the same layer may be about to be read together with it.
   */
  void begin(OffloadedKvCache cache) {
    for (int i = over.size() - 1; i >= 0; i--) {
      OffloadedKvCache other = over.get(i);
      if (other == cache || other.layer() != cache.layer()) {
        other.trim();
      }
    }
  }

  /** A cache may hold more than its slots from now on. */
  void exceeds(OffloadedKvCache cache) {
    if (!over.contains(cache)) {
      over.add(cache);
    }
  }

  /** A cache holds no more than its slots. */
  void settles(OffloadedKvCache cache) {
    over.remove(cache);
  }

  /** Counts a step. */
  void step(int mostOfAHead) {
    steps.incrementAndGet();
    mostFetched.accumulateAndGet(mostOfAHead, Math::max);
  }

  KvUsage usage() {
    return new KvUsage(
        framePools.values().stream().mapToLong(PagePool::bytes).sum()
            + passingPools.values().stream().mapToLong(PagePool::bytes).sum(),
        blockFiles.values().stream().mapToLong(BlockFile::bytes).sum(),
        fetchedBytes.get(),
        storedBytes.get(),
        steps.get(),
        mostFetched.get());
  }
}
