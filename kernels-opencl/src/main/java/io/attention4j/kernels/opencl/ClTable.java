package io.attention4j.kernels.opencl;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A list of 64-bit words that is filled on the host and copied to one buffer that only grows. What
 * the buffer holds is remembered, and only words that changed are copied: of the table of a step
 * those are few, since the next token finds the pages where they were.
 */
final class ClTable implements AutoCloseable {
  /** Between two changed words so many others cost less than a copy of their own. */
  private static final int GAP_WORDS = 64;

  private final ClContext context;
  private Arena arena = Arena.ofShared();
  private MemorySegment words = arena.allocate(64 * Long.BYTES);
  private MemorySegment uploaded = arena.allocate(64 * Long.BYTES);
  private int capacity = 64;
  private int size;
  private int uploadedSize;
  private ClBuffer buffer;

  ClTable(ClContext context) {
    this.context = context;
  }

  void clear() {
    size = 0;
  }

  /** Words so far: the index of the next one. */
  int size() {
    return size;
  }

  void add(long word) {
    reserve(1);
    words.setAtIndex(ValueLayout.JAVA_LONG, size++, word);
  }

  void addFloat(float value) {
    add(Float.floatToRawIntBits(value));
  }

  /** Adds words of any value, to be set later; returns the index of the first. */
  int addRoom(int count) {
    reserve(count);
    int first = size;
    size += count;
    return first;
  }

  private void reserve(int count) {
    if (size + count > capacity) {
      capacity = Math.max(Math.multiplyExact(2, capacity), Math.addExact(size, count));
      Arena larger = Arena.ofShared();
      words = copy(words, size, larger);
      uploaded = copy(uploaded, uploadedSize, larger);
      arena.close();
      arena = larger;
    }
  }

  private MemorySegment copy(MemorySegment from, int count, Arena to) {
    MemorySegment copy = to.allocate((long) capacity * Long.BYTES);
    MemorySegment.copy(from, 0, copy, 0, (long) count * Long.BYTES);
    return copy;
  }

  /** Changes a word that was added. */
  void set(int index, long word) {
    words.setAtIndex(ValueLayout.JAVA_LONG, index, word);
  }

  /** The buffer, with all words. */
  ClBuffer upload() {
    long bytes = (long) capacity * Long.BYTES;
    if (buffer == null || buffer.byteSize() < bytes) {
      closeBuffer();
      buffer = context.allocate(bytes);
    }
    int at = nextChange(0);
    while (at < size) {
      int end = at + 1;
      int change = nextChange(end);
      while (change < size && change - end <= GAP_WORDS) {
        end = change + 1;
        change = nextChange(end);
      }
      write(at, end);
      at = change;
    }
    return buffer;
  }

  /** The first word from here on that the buffer does not hold, or {@link #size}. */
  private int nextChange(int from) {
    int known = Math.min(size, uploadedSize);
    if (from >= known) {
      return from;
    }
    long at = (long) from * Long.BYTES;
    long to = (long) known * Long.BYTES;
    long same = MemorySegment.mismatch(words, at, to, uploaded, at, to);
    return same < 0 ? known : from + (int) (same / Long.BYTES);
  }

  private void write(int from, int to) {
    long at = (long) from * Long.BYTES;
    long bytes = (long) (to - from) * Long.BYTES;
    // Words that the driver did not take are not remembered, nor those behind them.
    int before = uploadedSize;
    uploadedSize = from;
    context.write(words.asSlice(at, bytes), buffer, at);
    MemorySegment.copy(words, at, uploaded, at, bytes);
    uploadedSize = Math.max(before, to);
  }

  private void closeBuffer() {
    uploadedSize = 0;
    if (buffer != null) {
      buffer.close();
      buffer = null;
    }
  }

  @Override
  public void close() {
    closeBuffer();
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
