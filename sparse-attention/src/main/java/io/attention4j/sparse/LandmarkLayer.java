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
import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.RopeKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/** A layer of {@link LandmarkAttention}. */
final class LandmarkLayer implements AttentionLayer, SelectionClock {
  /** Rows whose lists are held at a time; a step of more is cut. */
  private static final int MOST_ROWS = 1024;

  /** Rows of a block from which a matrix product is quicker than dot products. */
  private static final int PRODUCT_ROWS = 8;

  private final LandmarkAttention.Options options;
  private final LayerShape shape;
  private final OperatorContext context;
  private final RopeKernel rope;
  private final AttentionPlan plan;
  private final PagedKv pages;
  private final LandmarkChoice choice;
  private final KeyGroups own = new KeyGroups();
  private final List<Retrieved> retrieved = new ArrayList<>();
  private final AttentionBatch cut = new AttentionBatch();
  private final PagedKv cutPages;
  private final BitSet[] read; // blocks of each KV head that the rows at hand read
  private final double[] x;
  private final LandmarkProducts products;
  private boolean multiplied; // whether products has the rows at hand
  private int retrievedLevels; // of the rows at hand
  private long selectionNanos;
  private Rotation rotation = Rotation.NONE;

  /** The r-th retrieved block of each row and head: of rows [row * queryHeads + head]. */
  private record Retrieved(KeyGroups groups, float[] scores, long[] positions) {}

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
    products =
        new LandmarkProducts(
            context.kernels(), shape, options.retrieval() != LandmarkAttention.Retrieval.TOKEN);
    x = new double[shape.headDim()];
    cutPages = new PagedKv(shape.kvHeads());
    read = new BitSet[shape.kvHeads()];
    Arrays.setAll(read, h -> new BitSet());
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
      long own = batch.firstPosition(s) - batch.firstPosition(s) % options.block();
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
    Tensor result = out.slice(0, 0, batch.totalRows());
    if (batch.totalRows() <= MOST_ROWS) {
      attendRows(states, batch, pages, in.q(), result);
      return;
    }
    cutPages.reset(1);
    for (int s = 0; s < batch.sequences(); s++) {
      LayerState[] state = {states[s]};
      ((SparseState) states[s]).cache().fill(cutPages, 0);
      for (int row = 0; row < batch.rows(s); ) {
        int rows = rowsOfCut(batch.firstPosition(s) + row, batch.rows(s) - row);
        int first = batch.firstRow(s) + row;
        cut.reset();
        cut.add(rows, batch.firstPosition(s) + row);
        attendRows(
            state, cut, cutPages, in.q().slice(0, first, rows), result.slice(0, first, rows));
        row += rows;
      }
    }
  }

  /** Up to the end of a block, since the rows of a block may choose together. */
  private int rowsOfCut(long position, int left) {
    long end = (position + MOST_ROWS) / options.block() * options.block();
    if (end <= position) {
      end = (position / options.block() + 1) * options.block();
    }
    return (int) Math.min(left, end - position);
  }

  private void attendRows(
      LayerState[] states, AttentionBatch batch, PagedKv ofRows, Tensor q, Tensor out) {
    long start = System.nanoTime();
    own.reset();
    retrievedLevels = 0;
    for (int s = 0; s < batch.sequences(); s++) {
      SparseState state = (SparseState) states[s];
      LandmarkKeys landmarks = (LandmarkKeys) state.memory();
      landmarks.rotation(rotation);
      landmarks.update(ofRows, s, state.length());
      Arrays.stream(read).forEach(BitSet::clear);
      multiplied = batch.rows(s) >= PRODUCT_ROWS && !options.stingy() && landmarks.blocks() > 0;
      list(batch, q, s, state.length(), landmarks);
      if (ofRows == pages) { // a step that is cut reads everything
        for (int h = 0; h < read.length; h++) {
          state.cache().prefetch(h, read[h], options.block());
        }
        state.cache().fillChosen(pages, s);
      }
    }
    selectionNanos += System.nanoTime() - start;
    attendParts(batch, ofRows, q, out);
  }

  private void list(
      AttentionBatch batch, Tensor q, int sequence, long length, LandmarkKeys landmarks) {
    if (multiplied) {
      products.run(
          landmarks,
          q,
          batch.firstRow(sequence),
          batch.rows(sequence),
          batch.firstPosition(sequence),
          options.block());
    }
    for (int row = 0; row < batch.rows(sequence); ) {
      long position = batch.firstPosition(sequence) + row;
      int left = (int) (options.block() - position % options.block());
      int rows = Math.min(left, batch.rows(sequence) - row);
      listOwn(batch, sequence, row, rows, length);
      listRetrieved(batch, q, sequence, row, rows, landmarks);
      row += rows;
    }
  }

  /** Rows of one block read its tokens, up to themselves and without the landmark. */
  private void listOwn(AttentionBatch batch, int sequence, int firstRow, int rows, long length) {
    long position = batch.firstPosition(sequence) + firstRow;
    int first = (int) (position - position % options.block());
    int end = (int) Math.min(length, first + options.block() - 1L);
    for (int row = firstRow; row < firstRow + rows; row++) {
      own.row(row);
    }
    own.keys(first, Math.max(first, end));
    for (BitSet ofHead : read) {
      ofHead.set(first / options.block());
    }
    own.endShared(sequence, 0, shape.queryHeads());
  }

  private void listRetrieved(
      AttentionBatch batch,
      Tensor q,
      int sequence,
      int firstRow,
      int rows,
      LandmarkKeys landmarks) {
    long firstPosition = batch.firstPosition(sequence) + firstRow;
    int earlier = (int) (firstPosition / options.block());
    int outRow = batch.firstRow(sequence) + firstRow;
    if (multiplied) {
      choice.choose(
          rows,
          earlier,
          (row, head, ofBlock) -> products.copy(firstRow + row, head, ofBlock, earlier),
          context.kernels().device().workers());
    } else {
      choice.choose(
          rows,
          earlier,
          (row, head, ofBlock) -> {
            score(q, outRow + row, head, firstPosition + row, earlier, landmarks, ofBlock);
            if (options.retrieval() != LandmarkAttention.Retrieval.TOKEN) {
              LandmarkChoice.softmax(ofBlock);
            }
          },
          Parallel.single());
    }
    int levels = Math.min(options.k(), earlier);
    for (int r = 0; r < levels; r++) {
      level(r, batch.totalRows());
    }
    for (int head = 0; head < shape.queryHeads(); head++) {
      for (int row = 0; row < rows; row++) {
        for (int block : choice.of(row, head)) {
          read[kvHead(head)].set(block);
        }
      }
    }
    if (multiplied) {
      context
          .kernels()
          .device()
          .workers()
          .run(
              levels,
              (r, _) ->
                  listLevel(r, q, sequence, firstRow, rows, firstPosition, outRow, landmarks));
    } else {
      for (int r = 0; r < levels; r++) {
        listLevel(r, q, sequence, firstRow, rows, firstPosition, outRow, landmarks);
      }
    }
  }

  /** Scores of all earlier blocks for a row and head. */
  private void score(
      Tensor q,
      int row,
      int head,
      long position,
      int earlier,
      LandmarkKeys landmarks,
      float[] ofBlock) {
    read(q, row, head);
    // The last k blocks stand where they are, those far away in place 0.
    int near = options.stingy() ? earlier - options.k() : 0;
    for (int b = near; b < earlier; b++) {
      ofBlock[b] = (float) (shape.scale() * landmarks.dot(kvHead(head), b, x));
    }
    if (near > 0) {
      rotation.unrotate(x, position);
      rotation.rotate(x, localPosition(position, earlier));
      for (int b = 0; b < near; b++) {
        ofBlock[b] = (float) (shape.scale() * landmarks.movedDot(kvHead(head), b, x));
      }
    }
  }

  /** Lists the r-th block of each of the rows and heads; on a thread of its own with products. */
  private void listLevel(
      int r,
      Tensor q,
      int sequence,
      int firstRow,
      int rows,
      long firstPosition,
      int outRow,
      LandmarkKeys landmarks) {
    int earlier = (int) (firstPosition / options.block());
    Retrieved level = retrieved.get(r);
    for (int head = 0; head < shape.queryHeads(); head++) {
      for (int row = 0; row < rows; row++) {
        int block = choice.of(row, head)[r];
        int entry = (outRow + row) * shape.queryHeads() + head;
        if (multiplied) {
          level.scores[entry] = products.score(firstRow + row, head, block);
        } else {
          long position = firstPosition + row;
          long at = options.stingy() ? movedPosition(position, earlier, block, r) : position;
          read(q, outRow + row, head);
          if (at != position) {
            rotation.unrotate(x, position);
            rotation.rotate(x, at);
          }
          level.scores[entry] = (float) (shape.scale() * landmarks.dot(kvHead(head), block, x));
          level.positions[entry] = at - position;
        }
        level.groups.row(firstRow + row);
        if (row + 1 == rows || choice.of(row + 1, head)[r] != block) {
          int first = block * options.block();
          level.groups.keys(first, first + options.block() - 1);
          level.groups.end(sequence, head);
        }
      }
    }
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

  /** Makes room for the r-th blocks of the rows at hand. */
  private void level(int r, int totalRows) {
    if (r < retrievedLevels) {
      return;
    }
    int entries = totalRows * shape.queryHeads();
    if (retrieved.size() == r) {
      retrieved.add(new Retrieved(new KeyGroups(), new float[entries], new long[entries]));
    } else if (retrieved.get(r).scores.length < entries) {
      KeyGroups groups = retrieved.get(r).groups;
      retrieved.set(r, new Retrieved(groups, new float[entries], new long[entries]));
    }
    retrieved.get(r).groups.reset();
    Arrays.fill(retrieved.get(r).positions, 0);
    retrievedLevels = r + 1;
  }

  /** A block joins as a state whose mass is that of its landmark, not of its tokens. */
  private void attendParts(AttentionBatch batch, PagedKv ofRows, Tensor q, Tensor out) {
    int rows = batch.totalRows();
    int heads = shape.queryHeads();
    try (Device.TensorArena arena = context.kernels().device().newArena()) {
      Tensor lse = arena.allocate(DType.F32, rows, heads);
      Tensor partOut = arena.allocate(DType.F32, rows, heads, shape.valueDim());
      Tensor partLse = arena.allocate(DType.F32, rows, heads);
      Tensor turned =
          options.stingy() ? arena.allocate(DType.F32, rows, heads, shape.headDim()) : null;
      Selection selection = new Selection.Gathered(own.selection());
      plan.run(batch, new AttentionInputs(q, ofRows, selection), new AttentionOutputs(out, lse));
      for (Retrieved level : retrieved.subList(0, retrievedLevels)) {
        selection = new Selection.Gathered(level.groups.selection());
        Tensor queries = options.stingy() ? turn(batch, q, level.positions, turned) : q;
        plan.run(
            batch,
            new AttentionInputs(queries, ofRows, selection),
            new AttentionOutputs(partOut, partLse));
        MemorySegment masses = partLse.segment();
        for (int i = 0; i < rows * heads; i++) {
          // Rows without an r-th block keep -inf.
          if (masses.getAtIndex(Tensor.FLOAT, i) != Float.NEGATIVE_INFINITY) {
            masses.setAtIndex(Tensor.FLOAT, i, level.scores[i]);
          }
        }
        OnlineSoftmax.merge(out, lse, partOut, partLse, context.kernels().device().workers());
      }
    }
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
  public long selectionNanos() {
    return selectionNanos;
  }

  @Override
  public void close() {
    plan.close();
  }
}
