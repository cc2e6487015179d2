package io.attention4j.sparse;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.RopeTable;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.spi.RopeKernel;
import io.attention4j.engine.tensor.Tensor;
import java.util.BitSet;

/** A layer of {@link BlockSparseOperator}. */
final class BlockSparseLayer implements AttentionLayer, SelectionClock, ChosenKeyBlocks {
  private final LayerShape shape;
  private final KvCache.Factory caches;
  private final BlockSelector selector;
  private final AttentionSpec spec;
  private final RopeKernel rope;
  private final AttentionPlan plan;
  private final HostMirror mirror;
  private final PagedKv pages;
  private final AttentionBatch parts = new AttentionBatch();
  private final ChosenBlocks blocks;
  private final QueryBlock query;
  private final BitSet chosen = new BitSet();
  private final ChosenBlocksLog log = new ChosenBlocksLog();
  private final BitSet readBlocks = new BitSet(); // those that a head's rows read
  private int[] firstPart = new int[1]; // of each sequence of the step
  private AttentionInputs inputs;
  private AttentionOutputs outputs;
  private long selectionNanos;
  private RopeTable table;
  private Rotation rotation = Rotation.NONE;

  BlockSparseLayer(
      LayerShape shape,
      KvCache.Factory caches,
      BlockSelector selector,
      AttentionSpec spec,
      RopeKernel rope,
      AttentionPlan plan,
      HostMirror mirror) {
    this.shape = shape;
    this.caches = caches;
    this.selector = selector;
    this.spec = spec;
    this.rope = rope;
    this.plan = plan;
    this.mirror = mirror;
    pages = new PagedKv(shape.kvHeads());
    blocks =
        selector.weighsBlocks()
            ? new WeightedBlocks(selector, shape.queryHeads(), shape.kvHeads())
            : new BlockMaskBuffer(selector);
    query =
        new QueryBlock(
            shape.queryHeads(),
            shape.kvHeads(),
            shape.headDim(),
            selector.queryBlock(),
            selector.keyBlock());
  }

  @Override
  public LayerState newState() {
    KeyMemory memory =
        selector instanceof GatedSelector gated
            ? gated.newMemory()
            : selector.readsKeyMeans()
                ? new BlockMeans(selector.keyBlock(), shape.kvHeads(), shape.headDim())
                : null;
    return new SparseState(caches.create(shape), memory);
  }

  @Override
  public void append(LayerState[] states, LayerInputs in) {
    AttentionBatch batch = in.batch();
    if (rope != null) {
      rope.run(shape.rope(), in.k(), batch.totalRows(), in.rope().cos(), in.rope().sin());
    }
    for (int s = 0; s < batch.sequences(); s++) {
      KvCache cache = ((SparseState) states[s]).cache();
      cache.append(in.k(), in.v(), batch.firstRow(s), batch.rows(s));
    }
  }

  @Override
  public void attend(LayerState[] states, LayerInputs in, Tensor out) {
    int rows = in.batch().totalRows();
    if (rope != null) {
      rope.run(shape.rope(), in.q(), rows, in.rope().cos(), in.rope().sin());
    }
    append(states, in);
    long start = System.nanoTime();
    cut(states, in.batch());
    Selection selection = select(states, in);
    selectionNanos += System.nanoTime() - start;
    // The decoder reuses its tensors, so these are made once, not once per token.
    if (inputs == null || inputs.q() != in.q() || inputs.selection() != selection) {
      inputs = new AttentionInputs(in.q(), pages, selection);
    }
    if (outputs == null || outputs.out() != out) {
      outputs = new AttentionOutputs(out, null);
    }
    plan.run(parts, inputs, outputs);
  }

  /**
   * Cuts each sequence at the first multiple of the query block, since a block mask counts query
   * blocks from a sequence's first row: two parts of a sequence are two sequences of the same
   * pages.
   */
  private void cut(LayerState[] states, AttentionBatch batch) {
    parts.reset();
    for (int s = 0; s < batch.sequences(); s++) {
      int begin = rowsBeforeCut(batch, s);
      long position = batch.firstPosition(s);
      if (begin > 0) {
        addPart(batch, s, begin, position);
      }
      if (batch.rows(s) > begin) {
        addPart(batch, s, batch.rows(s) - begin, position + begin);
      }
    }
    pages.reset(parts.sequences());
    int part = 0;
    for (int s = 0; s < batch.sequences(); s++) {
      SparseState state = (SparseState) states[s];
      long first = firstRead(state, batch.firstPosition(s));
      for (int count = partsOf(batch, s); count > 0; count--, part++) {
        state.cache().fillFrom(pages, part, first);
        SparseState.requireWhole(state.cache(), pages, part);
      }
    }
  }

  /** The first token that choosing reads, and remembering for choices to come. */
  private long firstRead(SparseState state, long position) {
    if (selector instanceof GatedSelector gated && gated.readsKeys()) {
      return 0;
    }
    long own = position - position % selector.keyBlock();
    return state.memory() == null ? own : Math.min(own, state.memory().unread());
  }

  private int rowsBeforeCut(AttentionBatch batch, int sequence) {
    int toMultiple = Math.floorMod(-batch.firstPosition(sequence), selector.queryBlock());
    return Math.min(batch.rows(sequence), toMultiple);
  }

  private int partsOf(AttentionBatch batch, int sequence) {
    int begin = rowsBeforeCut(batch, sequence);
    return (begin > 0 ? 1 : 0) + (batch.rows(sequence) > begin ? 1 : 0);
  }

  private void addPart(AttentionBatch batch, int sequence, int rows, long position) {
    int part = parts.add(rows, position);
    parts.prefixLength(part, batch.prefixLength(sequence));
    parts.documents(part, batch.documents(sequence));
  }

  private Selection select(LayerState[] states, LayerInputs in) {
    int heads =
        switch (selector.headAxis()) {
          case QUERY_HEAD -> shape.queryHeads();
          case KV_HEAD -> shape.kvHeads();
          case ONE -> 1;
        };
    blocks.reset();
    log.reset();
    if (firstPart.length < in.batch().sequences()) {
      firstPart = new int[2 * in.batch().sequences()];
    }
    if (in.rope() != table) {
      table = in.rope();
      rotation = Rotation.of(table);
    }
    boolean pattern = !(selector instanceof GatedSelector) && !selector.readsKeyMeans();
    Tensor queries = pattern ? in.q() : mirror.rows(in.q(), in.batch().totalRows());
    int part = 0;
    for (int s = 0; s < in.batch().sequences(); s++) {
      SparseState state = (SparseState) states[s];
      firstPart[s] = part;
      for (int count = partsOf(in.batch(), s); count > 0; count--, part++) {
        KeyMemory memory = state.memory();
        PagedKv read = readable(state, part);
        if (memory != null) {
          memory.rotation(rotation);
          memory.update(read, part, state.length());
        }
        query.sequence(queries, memory instanceof BlockMeans means ? means : null, state.length());
        query.step(memory, rotation, read, part, in.batch().rows(s), parts.rows(part));
        prepare(part);
        blocks.sequence(part);
        log.part(part);
        for (int h = 0; h < heads; h++) {
          readBlocks.clear();
          selectHead(part, h);
          for (int kvHead = firstKvHead(h); kvHead < endKvHead(h); kvHead++) {
            // What a head chose is fetched while the next one chooses.
            state.cache().prefetch(kvHead, readBlocks, selector.keyBlock());
          }
        }
      }
    }
    fillChosen(states, in.batch());
    return blocks.selection();
  }

  private void prepare(int part) {
    if (selector instanceof GatedSelector gated) {
      int count = Math.min(selector.queryBlock(), parts.rows(part));
      query.rows(0, parts.firstRow(part), 0, count, parts.firstPosition(part));
      gated.prepare(query);
    }
  }

  /** Pages of which the choice reads what it does not remember. */
  private PagedKv readable(SparseState state, int part) {
    if (selector instanceof GatedSelector gated && gated.readsKeys()) {
      return mirror.pages(pages, part, 0);
    }
    return state.memory() == null ? pages : mirror.pages(pages, part, state.memory().unread());
  }

  private void fillChosen(LayerState[] states, AttentionBatch batch) {
    int part = 0;
    for (int s = 0; s < batch.sequences(); s++) {
      SparseState state = (SparseState) states[s];
      for (int count = partsOf(batch, s); count > 0; count--, part++) {
        state.cache().fillChosen(pages, part);
        if (state.memory() != null) {
          state.memory().bias(pages, part);
        }
      }
    }
  }

  /** The KV heads that an index on the selector's head axis reads: first and one past the last. */
  private int firstKvHead(int head) {
    return switch (selector.headAxis()) {
      case QUERY_HEAD -> head / (shape.queryHeads() / shape.kvHeads());
      case KV_HEAD -> head;
      case ONE -> 0;
    };
  }

  private int endKvHead(int head) {
    return selector.headAxis() == BlockMask.HeadAxis.ONE ? shape.kvHeads() : firstKvHead(head) + 1;
  }

  private void selectHead(int part, int head) {
    int rows = parts.rows(part);
    for (int row = 0; row < rows; row += selector.queryBlock()) {
      int count = Math.min(selector.queryBlock(), rows - row);
      long position = parts.firstPosition(part) + row;
      query.rows(head, parts.firstRow(part) + row, row, count, position);
      chosen.clear();
      selector.select(query, chosen);
      addChosen(position, position + count - 1);
    }
  }

  private void addChosen(long firstRow, long lastRow) {
    int keyBlocks = query.keyBlocks();
    for (int b = chosen.nextSetBit(0); b >= 0 && b < keyBlocks; b = chosen.nextSetBit(b + 1)) {
      long firstKey = (long) b * selector.keyBlock();
      long lastKey = firstKey + selector.keyBlock() - 1;
      Coverage coverage = Coverage.of(spec.mask(), firstRow, lastRow, firstKey, lastKey);
      if (coverage != Coverage.NONE) {
        blocks.add(query, b, coverage == Coverage.ALL);
        log.add(b);
        readBlocks.set(b);
      }
    }
    blocks.endRow(query);
    log.endEntry();
  }

  @Override
  public int keyBlockTokens() {
    return selector.keyBlock();
  }

  @Override
  public int[] keyBlocks(int sequence, int head, int row) {
    int part = firstPart[sequence];
    int inPart = row;
    if (row >= parts.rows(part)) {
      inPart -= parts.rows(part++);
    }
    int queryBlocks = Math.ceilDiv(parts.rows(part), selector.queryBlock());
    return log.of(part, head * queryBlocks + inPart / selector.queryBlock());
  }

  @Override
  public long selectionNanos() {
    return selectionNanos;
  }

  @Override
  public void close() {
    plan.close();
    mirror.close();
    if (selector instanceof GatedSelector gated) {
      gated.close();
    }
  }
}
