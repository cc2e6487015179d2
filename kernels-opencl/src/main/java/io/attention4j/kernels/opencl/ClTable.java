package io.attention4j.kernels.opencl;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A list of 64-bit words that is filled on the host and copied to one buffer that only grows. */
final class ClTable implements AutoCloseable {
  private final ClContext context;
  private Arena arena = Arena.ofShared();
  private MemorySegment words = arena.allocate(64 * Long.BYTES);
  private int capacity = 64;
  private int size;
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
      MemorySegment copy = larger.allocate((long) capacity * Long.BYTES);
      MemorySegment.copy(words, 0, copy, 0, (long) size * Long.BYTES);
      arena.close();
      arena = larger;
      words = copy;
    }
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
    context.write(words.asSlice(0, (long) size * Long.BYTES), buffer, 0);
    return buffer;
  }

  private void closeBuffer() {
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
