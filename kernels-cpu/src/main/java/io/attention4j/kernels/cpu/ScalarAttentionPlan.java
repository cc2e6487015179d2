package io.attention4j.kernels.cpu;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.attention.BlockMaxima;
import io.attention4j.engine.attention.GatheredKeys;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.AttentionChecks;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.attention.MaskBounds;
import io.attention4j.kernels.cpu.attention.PageFormat;
import io.attention4j.kernels.cpu.attention.TileTable;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Tiled attention in plain loops. A piece of work is some rows of one query head; it walks over the
 * key tiles of its selection and attends every row to every tile with an online softmax.
 */
final class ScalarAttentionPlan implements AttentionPlan {
  /** Rows that share a loaded key tile. */
  private static final int PIECE_ROWS = 16;

  private final AttentionSpec spec;
  private final Parallel workers;
  private final AttentionChecks checks;
  private final MaskBounds mask;
  private final TileTable table = new TileTable();
  private final ScalarRows[] rooms;
  private final Parallel.Body body = this::run;

  // Sequence, head, first row (or entry of rowIndices), rows, gathered group or -1.
  private int[] pieces = new int[5 * 16];
  private int count;
  private AttentionBatch batch;
  private AttentionInputs in;
  private AttentionOutputs out;

  ScalarAttentionPlan(AttentionSpec spec, Parallel workers) {
    this.spec = spec;
    this.workers = workers;
    checks = new AttentionChecks(spec, true);
    mask = MaskBounds.of(spec.mask());
    rooms = new ScalarRows[workers.threads()];
    for (int worker = 0; worker < rooms.length; worker++) {
      rooms[worker] = new ScalarRows(spec, mask, table, PIECE_ROWS);
    }
  }

  @Override
  public void run(AttentionBatch ofBatch, AttentionInputs inputs, AttentionOutputs outputs) {
    checks.require(ofBatch, inputs, outputs);
    batch = ofBatch;
    in = inputs;
    out = outputs;
    table.build(batch, in.kv());
    if (out.maxima() != null) {
      clear(out.maxima());
    }
    count = 0;
    addRows();
    if (in.selection() instanceof Selection.Gathered(GatheredKeys gathered)) {
      // First every row as if it had no key, then the rows of the groups.
      workers.run(count, body);
      count = 0;
      addGroups(gathered);
    }
    workers.run(count, body);
  }

  private void clear(BlockMaxima maxima) {
    Tensor scores = maxima.scores();
    MemorySegment memory = PageFormat.host(scores.storage());
    long elements = (long) batch.totalRows() * spec.queryHeads() * maxima.blocks();
    for (long i = 0; i < elements; i++) {
      long at = scores.byteOffset() + i * Float.BYTES;
      memory.set(Tensor.FLOAT, at, Float.NEGATIVE_INFINITY);
    }
  }

  private void addRows() {
    int step = PIECE_ROWS;
    if (in.selection() instanceof Selection.Blocks(BlockMask blocks)) {
      step = Math.min(step, blocks.queryBlock());
    }
    for (int s = 0; s < batch.sequences(); s++) {
      for (int head = 0; head < spec.queryHeads(); head++) {
        for (int row = 0; row < batch.rows(s); ) {
          int end = Math.min(batch.rows(s), row + step);
          if (in.selection() instanceof Selection.Blocks(BlockMask blocks)) {
            end = Math.min(end, (row / blocks.queryBlock() + 1) * blocks.queryBlock());
          }
          add(s, head, row, end - row, -1);
          row = end;
        }
      }
    }
  }

  private void addGroups(GatheredKeys gathered) {
    for (int g = 0; g < gathered.groups(); g++) {
      int end = gathered.rowIndptr()[g + 1];
      for (int row = gathered.rowIndptr()[g]; row < end; row += PIECE_ROWS) {
        int rows = Math.min(PIECE_ROWS, end - row);
        add(gathered.sequence()[g], gathered.queryHead()[g], row, rows, g);
      }
    }
  }

  private void add(int sequence, int head, int firstRow, int rows, int group) {
    int at = 5 * count;
    if (at == pieces.length) {
      pieces = Arrays.copyOf(pieces, 2 * at);
    }
    pieces[at] = sequence;
    pieces[at + 1] = head;
    pieces[at + 2] = firstRow;
    pieces[at + 3] = rows;
    pieces[at + 4] = group;
    count++;
  }

  private void run(int piece, int worker) {
    int at = 5 * piece;
    int sequence = pieces[at];
    int head = pieces[at + 1];
    int firstRow = pieces[at + 2];
    int group = pieces[at + 4];
    ScalarRows rows = rooms[worker];
    rows.begin(batch, in, out.maxima(), sequence, head);
    for (int i = firstRow; i < firstRow + pieces[at + 3]; i++) {
      boolean gathered = group >= 0;
      rows.add(gathered ? gathered(in.selection()).rowIndices()[i] : i);
    }
    switch (in.selection()) {
      case Selection.None none -> attendAll(rows, sequence, head);
      case Selection.Blocks(BlockMask blocks) ->
          attendBlocks(blocks, rows, sequence, head, firstRow);
      case Selection.Gathered(GatheredKeys gathered) -> {
        if (group >= 0) {
          attendGroup(gathered, rows, group);
        }
      }
    }
    rows.write(out);
  }

  private static GatheredKeys gathered(Selection selection) {
    return ((Selection.Gathered) selection).keys();
  }

  private void attendAll(ScalarRows rows, int sequence, int head) {
    int kvHead = head / spec.groupSize();
    int keys = table.length(sequence, kvHead);
    for (int tile = 0; tile < table.tiles(sequence, kvHead); tile++) {
      int lowest = table.lowest(sequence, kvHead, tile);
      int highest = table.highest(sequence, kvHead, tile);
      if (rows.touch(lowest, highest)) {
        int first = tile * TileTable.KEYS;
        rows.attend(first, Math.min(TileTable.KEYS, keys - first), true);
      }
    }
  }

  private void attendBlocks(
      BlockMask blocks, ScalarRows rows, int sequence, int head, int firstRow) {
    int queryBlocks = Math.ceilDiv(batch.rows(sequence), blocks.queryBlock());
    int blockRow =
        blocks.rowOffset()[sequence]
            + blocks.headIndex(head, spec.groupSize()) * queryBlocks
            + firstRow / blocks.queryBlock();
    int full = blocks.fullIndptr()[blockRow];
    int fullEnd = blocks.fullIndptr()[blockRow + 1];
    int partial = blocks.partialIndptr()[blockRow];
    int partialEnd = blocks.partialIndptr()[blockRow + 1];
    long keys = table.length(sequence, head / spec.groupSize());
    // Both lists ascend; merging them keeps the keys in order.
    while (full < fullEnd || partial < partialEnd) {
      boolean takeFull =
          partial == partialEnd
              || full < fullEnd && blocks.fullIndices()[full] < blocks.partialIndices()[partial];
      int block = takeFull ? blocks.fullIndices()[full++] : blocks.partialIndices()[partial++];
      long end = Math.min(keys, (block + 1L) * blocks.keyBlock());
      for (long key = (long) block * blocks.keyBlock(); key < end; key += TileTable.KEYS) {
        rows.attend((int) key, (int) Math.min(TileTable.KEYS, end - key), !takeFull);
      }
    }
  }

  private void attendGroup(GatheredKeys gathered, ScalarRows rows, int group) {
    int end = gathered.keyIndptr()[group + 1];
    for (int key = gathered.keyIndptr()[group]; key < end; key += TileTable.KEYS) {
      rows.attendGathered(gathered, key, Math.min(TileTable.KEYS, end - key));
    }
  }

  @Override
  public void close() {}
}
