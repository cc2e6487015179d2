package io.attention4j.sparse;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.OnlineSoftmax;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.RopeKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/** A layer of {@link LandmarkAttention}. */
final class LandmarkLayer implements AttentionLayer {
  private final LandmarkAttention.Options options;
  private final LayerShape shape;
  private final OperatorContext context;
  private final RopeKernel rope;
  private final AttentionPlan plan;
  private final PagedKv pages;
  private final BitSet readable = new BitSet(); // blocks that are asked for at once
  private final LandmarkChoice choice;
  private final KeyGroups own = new KeyGroups();
  private final List<Retrieved> retrieved = new ArrayList<>();
  private final double[] x;
  private Rotation rotation = Rotation.NONE;

  /** The r-th retrieved block of each row and head: of rows [row * queryHeads + head]. */
  private record Retrieved(KeyGroups groups, double[] scores, long[] positions) {}

  LandmarkLayer(
      LandmarkAttention.Options options,
      LayerShape shape,
      OperatorContext context,
      RopeKernel rope,
      AttentionPlan plan) {
    this.options = options;
    this.shape = shape;
    this.context = context;
    this.rope = rope;
    this.plan = plan;
    pages = new PagedKv(shape.kvHeads());
    choice = new LandmarkChoice(options, shape.queryHeads());
    x = new double[shape.headDim()];
  }

  @Override
  public LayerState newState() {
    return new SparseState(
        context.caches().create(shape),
        new LandmarkKeys(options.block(), shape.kvHeads(), shape.headDim()));
  }

  @Override
  public void append(LayerState[] states, LayerInputs in) {
    AttentionBatch batch = in.batch();
    if (rope != null) {
      rotation = Rotation.of(in.rope());
      rope.run(shape.rope(), in.k(), batch.totalRows(), in.rope().cos(), in.rope().sin());
    }
    pages.reset(batch.sequences());
    for (int s = 0; s < batch.sequences(); s++) {
      SparseState state = (SparseState) states[s];
      KvCache cache = state.cache();
      cache.append(in.k(), in.v(), batch.firstRow(s), batch.rows(s));
      long own = (long) ownBlock(batch, s) * options.block();
      cache.fillFrom(pages, s, Math.min(own, state.memory().unread()));
      SparseState.requireWhole(cache, pages, s);
    }
  }

  @Override
  public void attend(LayerState[] states, LayerInputs in, Tensor out) {
    AttentionBatch batch = in.batch();
    if (rope != null) {
      rope.run(shape.rope(), in.q(), batch.totalRows(), in.rope().cos(), in.rope().sin());
    }
    append(states, in);
    own.reset();
    retrieved.clear();
    for (int s = 0; s < batch.sequences(); s++) {
      SparseState state = (SparseState) states[s];
      LandmarkKeys landmarks = (LandmarkKeys) state.memory();
      landmarks.rotation(rotation);
      landmarks.update(pages, s, state.length());
      readable.clear();
      readable.set(ownBlock(batch, s), Math.ceilDiv((int) state.length(), options.block()));
      for (int kvHead = 0; kvHead < shape.kvHeads(); kvHead++) {
        state.cache().prefetch(kvHead, readable, options.block());
      }
      for (int row = 0; row < batch.rows(s); ) {
        long position = batch.firstPosition(s) + row;
        int left = (int) (options.block() - position % options.block());
        int rows = Math.min(left, batch.rows(s) - row);
        listOwn(batch, s, row, rows, state.length());
        listRetrieved(batch, in.q(), s, row, rows, state);
        row += rows;
      }
      state.cache().fillChosen(pages, s);
    }
    attendParts(batch, in.q(), out.slice(0, 0, batch.totalRows()));
  }

  /** Rows of one block read its tokens, up to themselves and without the landmark. */
  private void listOwn(AttentionBatch batch, int sequence, int firstRow, int rows, long length) {
    long position = batch.firstPosition(sequence) + firstRow;
    int first = (int) (position - position % options.block());
    int end = (int) Math.min(length, first + options.block() - 1L);
    for (int row = firstRow; row < firstRow + rows; row++) {
      own.row(row);
    }
    for (int key = first; key < end; key++) {
      own.key(key, 0);
    }
    own.endShared(sequence, 0, shape.queryHeads());
  }

  private void listRetrieved(
      AttentionBatch batch,
      Tensor q,
      int sequence,
      int firstRow,
      int rows,
      SparseState state) {
    LandmarkKeys landmarks = (LandmarkKeys) state.memory();
    long firstPosition = batch.firstPosition(sequence) + firstRow;
    int earlier = (int) (firstPosition / options.block());
    int outRow = batch.firstRow(sequence) + firstRow;
    choice.choose(
        rows,
        earlier,
        (row, head, block) -> {
          // Blocks ascend: those far away stand in place 0, the last k where they are.
          boolean isMoved = options.stingy() && block < earlier - options.k();
          if (block == 0 || options.stingy() && block == earlier - options.k()) {
            read(q, outRow + row, head);
            if (isMoved) {
              rotation.unrotate(x, firstPosition + row);
              rotation.rotate(x, localPosition(firstPosition + row, earlier));
            }
          }
          return shape.scale()
              * (isMoved
                  ? landmarks.movedDot(kvHead(head), block, x)
                  : landmarks.dot(kvHead(head), block, x));
        });
    for (int head = 0; head < shape.queryHeads(); head++) {
      int levels = Math.min(options.k(), earlier);
      readable.clear();
      for (int r = 0; r < levels; r++) {
        Retrieved level = level(r, batch.totalRows());
        for (int row = 0; row < rows; row++) {
          int block = choice.of(row, head)[r];
          readable.set(block);
          long position = firstPosition + row;
          long at = options.stingy() ? movedPosition(position, earlier, block, r) : position;
          int entry = (outRow + row) * shape.queryHeads() + head;
          read(q, outRow + row, head);
          if (at != position) {
            rotation.unrotate(x, position);
            rotation.rotate(x, at);
          }
          level.scores[entry] = shape.scale() * landmarks.dot(kvHead(head), block, x);
          level.positions[entry] = at - position;
          level.groups.row(firstRow + row);
          if (row + 1 == rows || choice.of(row + 1, head)[r] != block) {
            int first = block * options.block();
            for (int key = first; key < first + options.block() - 1; key++) {
              level.groups.key(key, 0);
            }
            level.groups.end(sequence, head);
          }
        }
      }
      state.cache().prefetch(kvHead(head), readable, options.block());
    }
  }

  /** The block of a sequence's first row. */
  private int ownBlock(AttentionBatch batch, int sequence) {
    return (int) (batch.firstPosition(sequence) / options.block());
  }

  /** A row's position where only k + 1 blocks are before its own. */
  private long localPosition(long position, int earlier) {
    return position - (earlier - options.k() - 1L) * options.block();
  }

  /**
   * Where a row would stand for its distance to a block, which stays in the cache where it is, to
   * be the one that the block's place among k + 1 gives: the r-th chosen block is the r-th, one
   * later if it is among the last k.
   */
  private long movedPosition(long position, int earlier, int block, int r) {
    if (earlier <= options.k()) {
      return position;
    }
    int place = block < earlier - options.k() ? r : r + 1;
    return localPosition(position, earlier) + (long) (block - place) * options.block();
  }

  private int kvHead(int queryHead) {
    return queryHead / (shape.queryHeads() / shape.kvHeads());
  }

  private void read(Tensor q, int row, int head) {
    long at = ((long) row * shape.queryHeads() + head) * x.length;
    MemorySegment memory = q.segment();
    for (int d = 0; d < x.length; d++) {
      x[d] = memory.getAtIndex(Tensor.FLOAT, at + d);
    }
  }

  private Retrieved level(int r, int totalRows) {
    if (retrieved.size() == r) {
      int entries = totalRows * shape.queryHeads();
      retrieved.add(new Retrieved(new KeyGroups(), new double[entries], new long[entries]));
    }
    return retrieved.get(r);
  }

  /** A block joins as a state whose mass is that of its landmark, not of its tokens. */
  private void attendParts(AttentionBatch batch, Tensor q, Tensor out) {
    int rows = batch.totalRows();
    int heads = shape.queryHeads();
    try (Device.TensorArena arena = context.kernels().device().newArena()) {
      Tensor lse = arena.allocate(DType.F32, rows, heads);
      Tensor partOut = arena.allocate(DType.F32, rows, heads, shape.valueDim());
      Tensor partLse = arena.allocate(DType.F32, rows, heads);
      Tensor turned =
          options.stingy() ? arena.allocate(DType.F32, rows, heads, shape.headDim()) : null;
      Selection selection = new Selection.Gathered(own.selection());
      plan.run(batch, new AttentionInputs(q, pages, selection), new AttentionOutputs(out, lse));
      for (Retrieved level : retrieved) {
        selection = new Selection.Gathered(level.groups.selection());
        Tensor queries = options.stingy() ? turn(batch, q, level.positions, turned) : q;
        plan.run(
            batch,
            new AttentionInputs(queries, pages, selection),
            new AttentionOutputs(partOut, partLse));
        MemorySegment masses = partLse.segment();
        for (int i = 0; i < rows * heads; i++) {
          // Rows without an r-th block keep -inf.
          if (masses.getAtIndex(Tensor.FLOAT, i) != Float.NEGATIVE_INFINITY) {
            masses.setAtIndex(Tensor.FLOAT, i, (float) level.scores[i]);
          }
        }
        OnlineSoftmax.merge(out, lse, partOut, partLse);
      }
    }
    retrieved.clear();
  }

  /** Queries turned to other positions than their own. */
  private Tensor turn(AttentionBatch batch, Tensor q, long[] offsets, Tensor turned) {
    MemorySegment memory = turned.segment();
    for (int s = 0; s < batch.sequences(); s++) {
      for (int row = 0; row < batch.rows(s); row++) {
        long position = batch.firstPosition(s) + row;
        for (int head = 0; head < shape.queryHeads(); head++) {
          int entry = (batch.firstRow(s) + row) * shape.queryHeads() + head;
          read(q, batch.firstRow(s) + row, head);
          if (offsets[entry] != 0) {
            rotation.unrotate(x, position);
            rotation.rotate(x, position + offsets[entry]);
          }
          for (int d = 0; d < x.length; d++) {
            memory.setAtIndex(Tensor.FLOAT, (long) entry * x.length + d, (float) x[d]);
          }
        }
      }
    }
    return turned;
  }

  @Override
  public void close() {
    plan.close();
  }
}
