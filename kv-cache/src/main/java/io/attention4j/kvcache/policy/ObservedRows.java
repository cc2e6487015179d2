package io.attention4j.kvcache.policy;

import io.attention4j.engine.operator.RopeTable;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The query rows of one sequence in one step, valid until the step ends. */
public final class ObservedRows {
  private final Device device;
  private Tensor q;
  private Tensor lse;
  private RopeTable rope;
  private int firstRow;
  private int rows;
  private long firstPosition;
  private boolean continued;
  private int lookahead;

  /** Rows of nothing yet. */
  public ObservedRows(Device device) {
    this.device = device;
  }

  /**
   * Looks at a step.
   *
   * @param queries F32 [&gt;= firstRow + rows, queryHeads, headDim], rotated, contiguous
   * @param rowLse F32 [&gt;= firstRow + rows, queryHeads] or null
   * @param angles of the rows, or null
   * @param guessedTokens see {@link #lookahead}
   */
  public ObservedRows of(
      Tensor queries,
      Tensor rowLse,
      RopeTable angles,
      int first,
      int count,
      long position,
      boolean moreFollows,
      int guessedTokens) {
    q = queries;
    lse = rowLse;
    rope = angles;
    firstRow = first;
    rows = count;
    firstPosition = position;
    continued = moreFollows;
    lookahead = guessedTokens;
    return this;
  }

  /** Number of rows. */
  public int rows() {
    return rows;
  }

  /** Position of a row. */
  public long position(int row) {
    return firstPosition + row;
  }

  /** Whether more of the same prompt follows. */
  public boolean continued() {
    return continued;
  }

  /** Tokens at the end of the prompt under way that a draft model guessed. */
  public int lookahead() {
    return lookahead;
  }

  /** Reads a row's query of one query head: headDim elements. */
  public void query(int row, int queryHead, float[] target) {
    long dim = q.extent(2);
    read(q, (firstRow + row) * q.stride(0) + queryHead * q.stride(1), target, (int) dim);
  }

  /** The natural log of the row's sum of exponentiated scores, of one query head. */
  public float lse(int row, int queryHead) {
    float[] one = new float[1];
    read(lse, (firstRow + row) * lse.extent(1) + queryHead, one, 1);
    return one[0];
  }

  /** The angles' cosines and sines of a row, rotaryDim / 2 each; false if the layer rotates not. */
  public boolean angles(int row, float[] cos, float[] sin) {
    if (rope == null) {
      return false;
    }
    long half = rope.cos().extent(1);
    read(rope.cos(), (firstRow + row) * half, cos, (int) half);
    read(rope.sin(), (firstRow + row) * half, sin, (int) half);
    return true;
  }

  private void read(Tensor tensor, long element, float[] target, int count) {
    if (tensor.storage() instanceof Storage.Host) {
      MemorySegment.copy(tensor.segment(), Tensor.FLOAT, element * Float.BYTES, target, 0, count);
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment staged = arena.allocate((long) count * Float.BYTES, Float.BYTES);
      long start = tensor.byteOffset() + element * Float.BYTES;
      device.download(Tensor.of(tensor.storage(), DType.F32, Shape.of(count), start), staged);
      MemorySegment.copy(staged, Tensor.FLOAT, 0, target, 0, count);
    }
  }
}
