package io.attention4j.kernels.opencl;

import java.util.Arrays;

/** A list of 64-bit words that keeps its memory when it is cleared. */
final class Words {
  private long[] words = new long[64];
  private int size;

  void clear() {
    size = 0;
  }

  int size() {
    return size;
  }

  long get(int index) {
    return words[index];
  }

  void set(int index, long word) {
    words[index] = word;
  }

  void add(long word) {
    if (size == words.length) {
      words = Arrays.copyOf(words, Math.multiplyExact(2, size));
    }
    words[size++] = word;
  }

  /** Appends all of them to a table; returns where they start. */
  int copyTo(ClTable table) {
    int first = table.addRoom(size);
    for (int i = 0; i < size; i++) {
      table.set(first + i, words[i]);
    }
    return first;
  }
}
