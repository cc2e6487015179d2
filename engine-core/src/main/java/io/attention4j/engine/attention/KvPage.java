package io.attention4j.engine.attention;

import io.attention4j.engine.tensor.Storage;
import java.util.Objects;

/**
 * Keys and values of one KV head for some tokens of one sequence: {@code capacity} slots of which
 * the first {@link #length} are filled. What an unfilled slot holds is unspecified (it may be NaN)
 * and no kernel may let it reach a result.
 *
 * <p>The owner is the cache that made it; the cache alone changes it, never while a kernel runs.
 */
public final class KvPage {
  private final Storage keys;
  private final long keyOffset;
  private final KvFormat keyFormat;
  private final int keyDim;
  private final Storage values;
  private final long valueOffset;
  private final KvFormat valueFormat;
  private final int valueDim;
  private final int capacity;
  private int length;
  private long firstPosition;
  private int[] positions;
  private float[] bias;

  /**
   * A page over storage of the cache.
   *
   * @param keyOffset byte offset of the keys, {@link KvFormat#pageBytes} long
   * @param valueOffset byte offset of the values
   * @throws IllegalArgumentException if the storage is too small
   */
  public KvPage(
      int capacity,
      Storage keys,
      long keyOffset,
      KvFormat keyFormat,
      int keyDim,
      Storage values,
      long valueOffset,
      KvFormat valueFormat,
      int valueDim) {
    this.keys = Objects.requireNonNull(keys, "keys");
    this.values = Objects.requireNonNull(values, "values");
    this.keyOffset = keyOffset;
    this.valueOffset = valueOffset;
    this.keyFormat = keyFormat;
    this.valueFormat = valueFormat;
    this.keyDim = keyDim;
    this.valueDim = valueDim;
    this.capacity = capacity;
    requireRoom("keys", keys, keyOffset, keyFormat.pageBytes(capacity, keyDim));
    requireRoom("values", values, valueOffset, valueFormat.pageBytes(capacity, valueDim));
  }

  private static void requireRoom(String what, Storage storage, long offset, long bytes) {
    if (offset < 0 || offset + bytes > storage.byteSize()) {
      throw new IllegalArgumentException(
          "a page's "
              + what
              + " need bytes ["
              + offset
              + ", "
              + (offset + bytes)
              + ") of storage with "
              + storage.byteSize());
    }
  }

  /** Slots. */
  public int capacity() {
    return capacity;
  }

  /** Filled slots, 0 to capacity. */
  public int length() {
    return length;
  }

  /** Sets the number of filled slots; for the owning cache. */
  public void length(int newLength) {
    if (newLength < 0 || newLength > capacity) {
      throw new IllegalArgumentException("page length " + newLength + " is outside 0.." + capacity);
    }
    length = newLength;
  }

  /** Storage of the keys. */
  public Storage keys() {
    return keys;
  }

  /** Byte offset of the keys in their storage. */
  public long keyOffset() {
    return keyOffset;
  }

  /** How keys are stored. */
  public KvFormat keyFormat() {
    return keyFormat;
  }

  /** Elements of a key. */
  public int keyDim() {
    return keyDim;
  }

  /** Storage of the values. */
  public Storage values() {
    return values;
  }

  /** Byte offset of the values in their storage. */
  public long valueOffset() {
    return valueOffset;
  }

  /** How values are stored. */
  public KvFormat valueFormat() {
    return valueFormat;
  }

  /** Elements of a value. */
  public int valueDim() {
    return valueDim;
  }

  /** Position of slot 0 where positions are consecutive. */
  public long firstPosition() {
    return firstPosition;
  }

  /** Sets the position of slot 0; for the owning cache. */
  public void firstPosition(long position) {
    firstPosition = position;
  }

  /** Position of each slot, or null where slot s is at firstPosition + s. Not a copy. */
  public int[] positions() {
    return positions;
  }

  /** Sets explicit positions (at least capacity entries) or null; for the owning cache. */
  public void positions(int[] slotPositions) {
    requireSlots("positions", slotPositions == null ? capacity : slotPositions.length);
    positions = slotPositions;
  }

  /** Position of a slot. */
  public long position(int slot) {
    return positions == null ? firstPosition + slot : positions[slot];
  }

  /** Additive score bias of each slot, or null for none. Not a copy. */
  public float[] bias() {
    return bias;
  }

  /** Sets a score bias per slot (at least capacity entries) or null; for the owning cache. */
  public void bias(float[] slotBias) {
    requireSlots("bias", slotBias == null ? capacity : slotBias.length);
    bias = slotBias;
  }

  private void requireSlots(String what, int given) {
    if (given < capacity) {
      throw new IllegalArgumentException(
          given + " entries of " + what + " do not cover a page of " + capacity + " slots");
    }
  }
}
