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
import java.util.Arrays;
import java.util.BitSet;

/** A layer of {@link BlockSparseOperator}. */
final class BlockSparseLayer implements AttentionLayer, SelectionClock, ChosenKeyBlocks {
  private final LayerShape shape;
  private final KvCache.Factory caches;
  private final BlockSelector selector;
  private final AttentionSpec spec;
  private final RopeKernel rope;
  private final AttentionPlan plan;
  private final PagedKv pages;
  private final AttentionBatch parts = new AttentionBatch();
  private final ChosenBlocks blocks;
  private final QueryBlock query;
  private final BitSet chosen = new BitSet();
  private final ChosenBlocksLog log = new ChosenBlocksLog();
  private final BitSet[] read; // blocks of each KV head that the sequence at hand reads
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
      AttentionPlan plan) {
    this.shape = shape;
    this.caches = caches;
    this.selector = selector;
    this.spec = spec;
    this.rope = rope;
    this.plan = plan;
    pages = new PagedKv(shape.kvHeads());
    read = new BitSet[shape.kvHeads()];
    Arrays.setAll(read, h -> new BitSet());
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
      KvCache cache = ((SparseState) states[s]).cache();
      for (int count = partsOf(batch, s); count > 0; count--, part++) {
        cache.fill(pages, part);
        SparseState.requireWhole(cache, pages, part);
      }
    }
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
    int part = 0;
    for (int s = 0; s < in.batch().sequences(); s++) {
      SparseState state = (SparseState) states[s];
      firstPart[s] = part;
      for (BitSet ofHead : read) {
        ofHead.clear();
      }
      for (int count = partsOf(in.batch(), s); count > 0; count--, part++) {
        KeyMemory memory = state.memory();
        if (memory != null) {
          memory.rotation(rotation);
          memory.update(pages, part, state.length());
          memory.bias(pages, part);
        }
        query.sequence(in.q(), memory instanceof BlockMeans means ? means : null, state.length());
        query.step(memory, rotation, pages, part, in.batch().rows(s), parts.rows(part));
        blocks.sequence(part);
        log.part(part);
        for (int h = 0; h < heads; h++) {
          selectHead(part, h);
        }
      }
      fetch(state, firstPart[s], part);
    }
    return blocks.selection();
  }

  private void fetch(SparseState state, int fromPart, int toPart) {
    boolean moved = false;
    for (int h = 0; h < read.length; h++) {
      moved |= state.cache().fetch(h, selector.keyBlock(), read[h]);
    }
    for (int part = fromPart; moved && part < toPart; part++) {
      state.cache().fill(pages, part);
      if (state.memory() != null) {
        state.memory().bias(pages, part);
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
    return selector.headAxis() == BlockMask.HeadAxis.ONE ? read.length : firstKvHead(head) + 1;
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
        for (int h = firstKvHead(query.head()); h < endKvHead(query.head()); h++) {
          read[h].set(b);
        }
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
    if (selector instanceof GatedSelector gated) {
      gated.close();
    }
  }
}
