package io.attention4j.kvcache;

import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kvcache.policy.Decision;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** At most one entry per KV head that stands for dropped tokens, in pages of one slot. */
final class Summaries {
  private final Device device;
  private final KvWriteKernel writer;
  private final PagePool pool;
  private final PageLayout layout;
  private final KvPage[] pages;
  private final PageBuffer[] buffers;
  private Device.TensorArena arena;
  private Tensor key;
  private Tensor value;

  /** The capacity of {@code layout} does not matter. */
  Summaries(Device device, KvWriteKernel writer, PagePool pool, PageLayout layout, int kvHeads) {
    this.device = device;
    this.writer = writer;
    this.pool = pool;
    this.layout = layout.withCapacity(1);
    pages = new KvPage[kvHeads];
    buffers = new PageBuffer[kvHeads];
  }

  /** The page of a head's summary, or null. */
  KvPage page(int head) {
    return pages[head];
  }

  void set(int head, Decision.Summary summary) {
    if (arena == null) {
      arena = device.newArena();
      key = arena.allocate(DType.F32, 1, 1, layout.keyDim());
      value = arena.allocate(DType.F32, 1, 1, layout.valueDim());
    }
    place(head, summary.bias(), summary.position());
    store(summary.key(), key);
    store(summary.value(), value);
    writer.write(key, value, 0, 1, 0, pages[head], 0);
  }

  /** Makes a page for the head, its contents to be written. */
  KvPage place(int head, float bias, int position) {
    if (buffers[head] != null && pool.isShared(buffers[head])) {
      pool.release(buffers[head]);
      buffers[head] = null;
    }
    if (buffers[head] == null) {
      buffers[head] = pool.take();
      pages[head] = layout.page(buffers[head]);
    }
    pages[head].length(1);
    pages[head].firstPosition(position);
    pages[head].bias(new float[] {bias});
    return pages[head];
  }

  private void store(float[] source, Tensor target) {
    if (target.storage() instanceof Storage.Host) {
      MemorySegment.copy(source, 0, target.segment(), Tensor.FLOAT, 0, source.length);
      return;
    }
    try (Arena host = Arena.ofConfined()) {
      device.upload(Tensor.ofFloats(host, source, source.length).segment(), target);
    }
  }

  Summaries fork() {
    Summaries copy = new Summaries(device, writer, pool, layout, pages.length);
    for (int head = 0; head < pages.length; head++) {
      if (buffers[head] != null) {
        pool.share(buffers[head]);
        copy.buffers[head] = buffers[head];
        copy.pages[head] = layout.page(buffers[head]);
        copy.pages[head].length(1);
        copy.pages[head].firstPosition(pages[head].firstPosition());
        copy.pages[head].bias(pages[head].bias().clone());
      }
    }
    return copy;
  }

  void clear() {
    for (int head = 0; head < pages.length; head++) {
      if (buffers[head] != null) {
        pool.release(buffers[head]);
        buffers[head] = null;
        pages[head] = null;
      }
    }
  }

  long bytes() {
    long bytes = 0;
    for (PageBuffer buffer : buffers) {
      bytes += buffer == null ? 0 : layout.bytes() + Float.BYTES;
    }
    return bytes;
  }

  void close() {
    clear();
    if (arena != null) {
      arena.close();
      arena = null;
    }
  }
}
