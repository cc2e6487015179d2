package io.attention4j.kvcache.policy;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/** The newest query rows of a sequence, of all heads, with their log sums of exponentials. */
final class QueryWindow {
  private final int capacity;
  private final int queryHeads;
  private final int headDim;
  private final float[][] queries; // [row][queryHead * headDim], made when first used
  private final float[][] lse; // [row][queryHead]
  private final long[] positions;
  private final float[] query;
  private int next;
  private int size;

  QueryWindow(int capacity, int queryHeads, int headDim) {
    this.capacity = capacity;
    this.queryHeads = queryHeads;
    this.headDim = headDim;
    queries = new float[capacity][];
    lse = new float[capacity][];
    positions = new long[capacity];
    query = new float[headDim];
  }

  private QueryWindow(QueryWindow other) {
    this(other.capacity, other.queryHeads, other.headDim);
    for (int i = 0; i < capacity; i++) {
      queries[i] = other.queries[i] == null ? null : other.queries[i].clone();
      lse[i] = other.lse[i] == null ? null : other.lse[i].clone();
      positions[i] = other.positions[i];
    }
    next = other.next;
    size = other.size;
  }

  void record(ObservedRows rows) {
    record(rows, Math.max(0, rows.rows() - capacity), rows.rows());
  }

  /** Adds the rows [from, to) of a step. */
  void record(ObservedRows rows, int from, int to) {
    for (int row = from; row < to; row++) {
      reserve(next);
      for (int head = 0; head < queryHeads; head++) {
        rows.query(row, head, query);
        System.arraycopy(query, 0, queries[next], head * headDim, headDim);
        lse[next][head] = rows.lse(row, head);
      }
      positions[next] = rows.position(row);
      next = (next + 1) % capacity;
      size = Math.min(size + 1, capacity);
    }
  }

  private void reserve(int slot) {
    if (queries[slot] == null) {
      queries[slot] = new float[queryHeads * headDim];
      lse[slot] = new float[queryHeads];
    }
  }

  int size() {
    return size;
  }

  /** Forgets all but the newest rows. */
  void limit(int rows) {
    size = Math.min(size, rows);
  }

  /** Forgets the rows and their memory. */
  void clear() {
    for (int i = 0; i < capacity; i++) {
      queries[i] = null;
      lse[i] = null;
    }
    next = 0;
    size = 0;
  }

  private int slot(int row) {
    return (next - size + row + capacity) % capacity;
  }

  /** All heads' queries of a row, oldest first. */
  float[] queries(int row) {
    return queries[slot(row)];
  }

  float lse(int row, int queryHead) {
    return lse[slot(row)][queryHead];
  }

  long position(int row) {
    return positions[slot(row)];
  }

  long newest() {
    return position(size - 1);
  }

  QueryWindow copy() {
    return new QueryWindow(this);
  }

  void save(DataOutput out) throws IOException {
    out.writeInt(size);
    for (int row = 0; row < size; row++) {
      out.writeLong(position(row));
      for (float value : queries(row)) {
        out.writeFloat(value);
      }
      for (float value : lse[slot(row)]) {
        out.writeFloat(value);
      }
    }
  }

  void load(DataInput in) throws IOException {
    clear();
    int rows = in.readInt();
    if (rows < 0 || rows > capacity) {
      throw new IOException("a window of " + rows + " query rows, this policy has " + capacity);
    }
    for (int row = 0; row < rows; row++) {
      reserve(row);
      positions[row] = in.readLong();
      for (int i = 0; i < queries[row].length; i++) {
        queries[row][i] = in.readFloat();
      }
      for (int i = 0; i < queryHeads; i++) {
        lse[row][i] = in.readFloat();
      }
    }
    size = rows;
    next = rows % capacity;
  }

  long bytes() {
    return (long) size * queryHeads * (headDim + 1) * Float.BYTES;
  }
}
