package io.attention4j.sparse;

import java.util.Arrays;

/** The key blocks of every (part, head, query block) of a step, in the order of choosing. */
final class ChosenBlocksLog {
  private int[] firstEntry = new int[4]; // of each part
  private int[] indptr = new int[16];
  private int[] blocks = new int[64];
  private int entries;
  private int count;

  void reset() {
    entries = 0;
    count = 0;
  }

  /** The next entries are those of this part: heads, and query blocks of each. */
  void part(int part) {
    if (part == firstEntry.length) {
      firstEntry = Arrays.copyOf(firstEntry, 2 * part);
    }
    firstEntry[part] = entries;
  }

  void add(int block) {
    if (count == blocks.length) {
      blocks = Arrays.copyOf(blocks, 2 * count);
    }
    blocks[count++] = block;
  }

  void endEntry() {
    entries++;
    if (entries == indptr.length) {
      indptr = Arrays.copyOf(indptr, 2 * entries);
    }
    indptr[entries] = count;
  }

  /** Blocks of an entry of a part. */
  int[] of(int part, int entry) {
    int at = firstEntry[part] + entry;
    return Arrays.copyOfRange(blocks, indptr[at], indptr[at + 1]);
  }
}
