package io.attention4j.sparse;

import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** The rows of one query block that a step brings, and what is known of their keys. Reused. */
public final class QueryBlock {
  private final int queryHeads;
  private final int groupSize;
  private final int headDim;
  private final int queryBlock;
  private final int keyBlock;
  private final double[] raw;
  private Tensor q;
  private KeyMeans keyMeans;
  private KeyMemory memory;
  private Rotation rotation;
  private PagedKv pages;
  private int part;
  private int stepRows;
  private int partRows;
  private long keys;
  private int head;
  private int firstRow;
  private int rowInSequence;
  private int rows;
  private long firstPosition;

  QueryBlock(int queryHeads, int kvHeads, int headDim, int queryBlock, int keyBlock) {
    this.queryHeads = queryHeads;
    this.groupSize = queryHeads / kvHeads;
    this.headDim = headDim;
    this.queryBlock = queryBlock;
    this.keyBlock = keyBlock;
    raw = new double[headDim];
  }

  void sequence(Tensor queries, KeyMeans means, long keyCount) {
    q = queries;
    keyMeans = means;
    keys = keyCount;
  }

  /** What a {@link GatedSelector} sees besides. */
  void step(
      KeyMemory ofSequence,
      Rotation ofRows,
      PagedKv ofStep,
      int ofPart,
      int rowsOfStep,
      int rowsOfPart) {
    memory = ofSequence;
    rotation = ofRows;
    pages = ofStep;
    part = ofPart;
    stepRows = rowsOfStep;
    partRows = rowsOfPart;
  }

  void rows(int atHead, int row, int inSequence, int count, long position) {
    head = atHead;
    firstRow = row;
    rowInSequence = inSequence;
    rows = count;
    firstPosition = position;
  }

  /** Number of the query block in its sequence. */
  public int index() {
    return (int) (firstPosition / queryBlock);
  }

  /** Index on the selector's head axis. */
  public int head() {
    return head;
  }

  /** Position of the first row. */
  public long firstPosition() {
    return firstPosition;
  }

  /** First row, counted inside the sequence that kernels see. */
  int rowInSequence() {
    return rowInSequence;
  }

  /** Keys of the sequence so far. */
  public long keys() {
    return keys;
  }

  /** Rows, 1 to queryBlock. */
  public int rows() {
    return rows;
  }

  /** Number of the key block that holds the position. */
  public int keyBlockOf(long position) {
    return (int) (position / keyBlock);
  }

  /** Key blocks of the sequence so far, the last one perhaps incomplete. */
  public int keyBlocks() {
    return (int) ((keys + keyBlock - 1) / keyBlock);
  }

  /** Means of complete key blocks, if {@link BlockSelector#readsKeyMeans}. */
  public KeyMeans keyMeans() {
    return keyMeans;
  }

  KeyMemory memory() {
    return memory;
  }

  /** By which the layer's queries and keys are rotated. */
  Rotation rotation() {
    return rotation;
  }

  /** Pages of the step. */
  PagedKv pages() {
    return pages;
  }

  /** The sequence in {@link #pages}. */
  int part() {
    return part;
  }

  /** Rows of the sequence that the step brings, in all blocks. */
  int stepRows() {
    return stepRows;
  }

  /** Rows of {@link #part}. */
  int partRows() {
    return partRows;
  }

  /** Rotated queries of the step. */
  Tensor q() {
    return q;
  }

  /** The first row in {@link #q}. */
  int firstRow() {
    return firstRow;
  }

  /** The rotated query of the first row of a query head. */
  void query(int queryHead, double[] vector) {
    long at = ((long) firstRow * queryHeads + queryHead) * headDim;
    for (int d = 0; d < headDim; d++) {
      vector[d] = q.segment().getAtIndex(Tensor.FLOAT, at + d);
    }
  }

  /** The same in F32; threads may call it at the same time. */
  void query(int queryHead, float[] vector) {
    long at = ((long) firstRow * queryHeads + queryHead) * headDim;
    MemorySegment.copy(q.segment(), Tensor.FLOAT, at * Float.BYTES, vector, 0, headDim);
  }

  /**
   * Mean of the queries of the rows of a query head, before rotation.
   *
   * @param mean headDim elements, overwritten
   */
  void meanRawQuery(int queryHead, double[] mean) {
    Arrays.fill(mean, 0);
    MemorySegment memoryOfQ = q.segment();
    for (int row = 0; row < rows; row++) {
      long at = ((long) (firstRow + row) * queryHeads + queryHead) * headDim;
      for (int d = 0; d < headDim; d++) {
        raw[d] = memoryOfQ.getAtIndex(Tensor.FLOAT, at + d);
      }
      rotation.unrotate(raw, firstPosition + row);
      for (int d = 0; d < headDim; d++) {
        mean[d] += raw[d] / rows;
      }
    }
  }

  /**
   * Mean of the rotated queries of the rows over the query heads of a KV head.
   *
   * @param mean headDim elements, overwritten
   */
  public void meanQuery(int kvHead, double[] mean) {
    Arrays.fill(mean, 0, headDim, 0);
    MemorySegment memory = q.segment();
    for (int row = firstRow; row < firstRow + rows; row++) {
      for (int h = kvHead * groupSize; h < (kvHead + 1) * groupSize; h++) {
        long at = ((long) row * queryHeads + h) * headDim;
        for (int d = 0; d < headDim; d++) {
          mean[d] += memory.get(Tensor.FLOAT, (at + d) * Float.BYTES);
        }
      }
    }
    for (int d = 0; d < headDim; d++) {
      mean[d] /= rows * groupSize;
    }
  }
}
