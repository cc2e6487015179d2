package io.attention4j.sparse;

import io.attention4j.engine.attention.GatheredKeys;
import java.util.Arrays;

/** Gathered groups while they are being listed: rows of a head and the keys they read. */
final class KeyGroups {
  private int groups;
  private int rowCount;
  private int keyCount;
  private int[] sequence = new int[8];
  private int[] queryHead = new int[8];
  private int[] rowIndptr = new int[9];
  private int[] keyIndptr = new int[9];
  private int[] rows = new int[64];
  private int[] keys = new int[64];
  private float[] biases = new float[64]; // of keys, where biased
  private boolean biased; // whether a bias was not 0

  /** Forgets all groups. */
  void reset() {
    groups = 0;
    rowCount = 0;
    keyCount = 0;
    biased = false;
  }

  /** Adds a row of the sequence to the group at hand. */
  void row(int row) {
    if (rowCount == rows.length) {
      rows = Arrays.copyOf(rows, 2 * rowCount);
    }
    rows[rowCount++] = row;
  }

  /** Adds a key slot, with the log of what it counts for. */
  void key(int slot, float bias) {
    if (keyCount == keys.length) {
      keys = Arrays.copyOf(keys, 2 * keyCount);
      biases = Arrays.copyOf(biases, 2 * keyCount);
    }
    if (bias != 0 && !biased) {
      Arrays.fill(biases, 0, keyCount, 0);
      biased = true;
    }
    keys[keyCount] = slot;
    biases[keyCount++] = bias;
  }

  /** Ends the group at hand. */
  void end(int ofSequence, int ofQueryHead) {
    if (groups == sequence.length) {
      sequence = Arrays.copyOf(sequence, 2 * groups);
      queryHead = Arrays.copyOf(queryHead, 2 * groups);
      rowIndptr = Arrays.copyOf(rowIndptr, 2 * groups + 1);
      keyIndptr = Arrays.copyOf(keyIndptr, 2 * groups + 1);
    }
    sequence[groups] = ofSequence;
    queryHead[groups] = ofQueryHead;
    groups++;
    rowIndptr[groups] = rowCount;
    keyIndptr[groups] = keyCount;
  }

  /** Ends the group at hand, which is that of some neighbouring query heads. */
  void endShared(int ofSequence, int firstHead, int heads) {
    int rowsFrom = rowIndptr[groups];
    int rowsTo = rowCount;
    int keysFrom = keyIndptr[groups];
    int keysTo = keyCount;
    end(ofSequence, firstHead);
    int ofRows = rowsTo - rowsFrom;
    int ofKeys = keysTo - keysFrom;
    rows = reserved(rows, rowCount + (heads - 1) * ofRows);
    reserveKeys(keyCount + (heads - 1) * ofKeys);
    for (int h = firstHead + 1; h < firstHead + heads; h++) {
      System.arraycopy(rows, rowsFrom, rows, rowCount, ofRows);
      System.arraycopy(keys, keysFrom, keys, keyCount, ofKeys);
      if (biased) {
        System.arraycopy(biases, keysFrom, biases, keyCount, ofKeys);
      }
      rowCount += ofRows;
      keyCount += ofKeys;
      end(ofSequence, h);
    }
  }

  /** Adds consecutive key slots without bias. */
  void keys(int first, int end) {
    reserveKeys(keyCount + end - first);
    if (biased) {
      Arrays.fill(biases, keyCount, keyCount + end - first, 0);
    }
    for (int slot = first; slot < end; slot++) {
      keys[keyCount++] = slot;
    }
  }

  /** Adds key slots without bias. */
  void keys(int[] slots) {
    reserveKeys(keyCount + slots.length);
    System.arraycopy(slots, 0, keys, keyCount, slots.length);
    if (biased) {
      Arrays.fill(biases, keyCount, keyCount + slots.length, 0);
    }
    keyCount += slots.length;
  }

  private void reserveKeys(int needed) {
    keys = reserved(keys, needed);
    if (biases.length < keys.length) {
      biases = Arrays.copyOf(biases, keys.length);
    }
  }

  private static int[] reserved(int[] array, int needed) {
    return array.length < needed ? Arrays.copyOf(array, Math.max(needed, 2 * array.length)) : array;
  }

  boolean isEmpty() {
    return groups == 0;
  }

  GatheredKeys selection() {
    return new GatheredKeys(
        Arrays.copyOf(sequence, groups),
        Arrays.copyOf(queryHead, groups),
        Arrays.copyOf(rowIndptr, groups + 1),
        rows,
        Arrays.copyOf(keyIndptr, groups + 1),
        keys,
        biased ? biases : null);
  }
}
