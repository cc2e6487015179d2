package io.attention4j.kernels.opencl;

import java.util.Arrays;

/** A list of 64-bit words that is filled on the host and copied to one buffer that only grows. */
final class ClTable implements AutoCloseable {
  private final ClContext context;
  private long[] words = new long[64];
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
    if (size == words.length) {
      words = Arrays.copyOf(words, Math.multiplyExact(2, size));
    }
    words[size++] = word;
  }

  /** Changes a word that was added. */
  void set(int index, long word) {
    words[index] = word;
  }

  /** The buffer, with all words. */
  ClBuffer upload() {
    long bytes = (long) words.length * Long.BYTES;
    if (buffer == null || buffer.byteSize() < bytes) {
      close();
      buffer = context.allocate(bytes);
    }
    context.write(words, size, buffer);
    return buffer;
  }

  @Override
  public void close() {
    if (buffer != null) {
      buffer.close();
      buffer = null;
    }
  }
}
