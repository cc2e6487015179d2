package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.attention.TileTable.KEYS;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.attention.GatheredKeys;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.Selection;
import io.attention4j.kernels.cpu.attention.MaskBounds;
import io.attention4j.kernels.cpu.attention.PageFormat;
import io.attention4j.kernels.cpu.attention.TileTable;
import java.util.Arrays;

/**
 * Attention of few rows over many keys, bound by the reading of the pages (LeanAttention, Sanovar
 * et al. 2024, arXiv 2405.10480): the keys of every job, a (sequence, KV head) and its selection,
 * are cut into chunks, all chunks are dealt out to the workers, and {@link #merge} combines the
 * partial results of a row in key order. Chunks depend on slots and rows alone, so that results do
 * not depend on threads. Every page is read once for all query heads of its group, where it lies; a
 * chunk reads all its keys before its values, because memory delivers long streams best.
 */
final class Decode {
  /** Least keys of a chunk: its partial result costs about a hundredth of reading it. */
  static final int LEAST_CHUNK = 512;

  private static final int MOST_CHUNK = 2048;

  /** Chunks of a long sequence, which grow before there are more of them. */
  private static final int CHUNKS = 8;

  private static final int JOB_FIELDS = 10;
  private static final int SEQUENCE = 0;
  private static final int KV_HEAD = 1;
  private static final int FIRST_HEAD = 2;
  private static final int HEADS = 3;
  // As in Prefill: a lane is row * heads + head, or an entry of the gathered rows.
  private static final int FIRST_LANE = 4;
  private static final int ROWS = 5;
  private static final int KEYS_OF_JOB = 6;
  // The CSR row of a block mask or the number of a gathered group.
  private static final int SELECTED = 7;
  private static final int FIRST_PIECE = 8;
  // First row of the job's partial results; a chunk's follow those of the one before.
  private static final int PARTIAL = 9;

  private final AttentionSpec spec;
  private final MaskBounds mask;
  private final TileTable table;
  private final TileScores scoring;
  private final QuadScores quadScores;
  private final PartialRows partials;
  private final KeyDots dots;
  private final ValueSums values;
  private final DecodePages pages;

  private int[] jobs = new int[JOB_FIELDS * 16];
  private int jobCount;
  private int[] jobOfPiece = new int[16];
  private int count;

  private AttentionBatch batch;
  private AttentionInputs in;
  private AttentionOutputs out;

  Decode(
      AttentionSpec spec,
      MaskBounds mask,
      TileTable table,
      TileScores scoring,
      PartialRows partials) {
    this.spec = spec;
    this.mask = mask;
    this.table = table;
    this.scoring = scoring;
    quadScores = new QuadScores(spec, mask, scoring);
    this.partials = partials;
    boolean bounded = !(spec.normalizer() instanceof Normalizer.None);
    PageFormat keyFormat = PageFormat.of(spec.keyFormat());
    dots = new KeyDots(keyFormat, new RowBlocks(keyFormat, spec.headDim(), bounded));
    PageFormat valueFormat = PageFormat.of(spec.valueFormat());
    values = new ValueSums(valueFormat, new RowBlocks(valueFormat, spec.valueDim(), bounded));
    pages = new DecodePages(spec, table, quadScores, dots, values);
  }

  /** Room for one worker. */
  DecodeRoom room() {
    return new DecodeRoom(spec, dots, values);
  }

  /** Forgets the jobs and takes the arguments of a run. */
  void begin(AttentionBatch ofBatch, AttentionInputs inputs, AttentionOutputs outputs) {
    batch = ofBatch;
    in = inputs;
    out = outputs;
    pages.begin(ofBatch, inputs);
    count = 0;
    jobCount = 0;
  }

  /** Chunks to compute. */
  int pieces() {
    return count;
  }

  /** Jobs to merge. */
  int merges() {
    return jobCount;
  }

  /** Adds the rows of a sequence and KV head, at most {@link DecodeRoom#MOST_ROWS}. */
  void addRows(int sequence, int kvHead) {
    int heads = spec.groupSize();
    int rows = batch.rows(sequence) * heads;
    add(sequence, kvHead, kvHead * heads, heads, 0, rows, table.length(sequence, kvHead), -1);
  }

  /** Adds all rows of a sequence, at most that many, with the keys of their blocks. */
  void addBlocks(BlockMask blocks, int sequence) {
    boolean perQueryHead = blocks.headAxis() == BlockMask.HeadAxis.QUERY_HEAD;
    int heads = perQueryHead ? 1 : spec.groupSize();
    int queryBlocks = Math.ceilDiv(batch.rows(sequence), blocks.queryBlock());
    for (int head = 0; head < spec.queryHeads(); head += heads) {
      int kvHead = head / spec.groupSize();
      int index = blocks.headIndex(head, spec.groupSize());
      for (int b = 0; b < queryBlocks; b++) {
        int blockRow = blocks.rowOffset()[sequence] + index * queryBlocks + b;
        int firstRow = b * blocks.queryBlock();
        int rows = Math.min(batch.rows(sequence) - firstRow, blocks.queryBlock()) * heads;
        int keys = 0;
        int length = table.length(sequence, kvHead);
        for (int i = blocks.fullIndptr()[blockRow]; i < blocks.fullIndptr()[blockRow + 1]; i++) {
          keys += blockKeys(blocks, blocks.fullIndices()[i], length);
        }
        int end = blocks.partialIndptr()[blockRow + 1];
        for (int i = blocks.partialIndptr()[blockRow]; i < end; i++) {
          keys += blockKeys(blocks, blocks.partialIndices()[i], length);
        }
        add(sequence, kvHead, head, heads, firstRow * heads, rows, keys, blockRow);
      }
    }
  }

  /** Adds a group of a gathered selection, at most that many rows. */
  void addGroup(GatheredKeys gathered, int group) {
    int head = gathered.queryHead()[group];
    int firstRow = gathered.rowIndptr()[group];
    int rows = gathered.rowIndptr()[group + 1] - firstRow;
    int keys = gathered.keyIndptr()[group + 1] - gathered.keyIndptr()[group];
    int kvHead = head / spec.groupSize();
    add(gathered.sequence()[group], kvHead, head, 1, firstRow, rows, keys, group);
  }

  private void add(
      int sequence,
      int kvHead,
      int firstHead,
      int heads,
      int firstLane,
      int rows,
      int keys,
      int selected) {
    int at = JOB_FIELDS * jobCount;
    if (at == jobs.length) {
      jobs = Arrays.copyOf(jobs, 2 * at);
    }
    jobs[at + SEQUENCE] = sequence;
    jobs[at + KV_HEAD] = kvHead;
    jobs[at + FIRST_HEAD] = firstHead;
    jobs[at + HEADS] = heads;
    jobs[at + FIRST_LANE] = firstLane;
    jobs[at + ROWS] = rows;
    jobs[at + KEYS_OF_JOB] = keys;
    jobs[at + SELECTED] = selected;
    jobs[at + FIRST_PIECE] = count;
    int chunks = chunks(at);
    jobs[at + PARTIAL] = partials.take(Math.multiplyExact(chunks, rows));
    if (count + chunks > jobOfPiece.length) {
      jobOfPiece = Arrays.copyOf(jobOfPiece, Math.max(count + chunks, 2 * count));
    }
    Arrays.fill(jobOfPiece, count, count + chunks, at);
    count += chunks;
    jobCount++;
  }

  private int row(int job, int r) {
    int lane = jobs[job + FIRST_LANE] + r;
    return in.selection() instanceof Selection.Gathered(GatheredKeys gathered)
        ? gathered.rowIndices()[lane]
        : lane / jobs[job + HEADS];
  }

  private int chunkKeys(int job) {
    int quads = Math.ceilDiv(jobs[job + ROWS], 4);
    int chunk = LEAST_CHUNK;
    while (chunk < MOST_CHUNK / quads && (long) chunk * CHUNKS * 2 <= jobs[job + KEYS_OF_JOB]) {
      chunk *= 2;
    }
    return chunk;
  }

  private int chunks(int job) {
    return Math.max(1, Math.ceilDiv(jobs[job + KEYS_OF_JOB], chunkKeys(job)));
  }

  /** Computes the partial results of a chunk. */
  void run(int piece, DecodeRoom room) {
    int job = jobOfPiece[piece];
    int sequence = jobs[job + SEQUENCE];
    int kvHead = jobs[job + KV_HEAD];
    int heads = jobs[job + HEADS];
    int chunkKeys = chunkKeys(job);
    int chunk = piece - jobs[job + FIRST_PIECE];
    room.begin();
    for (int r = 0; r < jobs[job + ROWS]; r++) {
      room.addRow(row(job, r), jobs[job + FIRST_HEAD] + r % heads);
    }
    room.pack(batch, mask, sequence, in.q(), scoring.queryFactor(), chunkKeys);
    int firstKey = chunk * chunkKeys;
    int endKey = Math.min(firstKey + chunkKeys, jobs[job + KEYS_OF_JOB]);
    switch (in.selection()) {
      case Selection.None none -> addTiles(sequence, kvHead, firstKey, endKey, room);
      case Selection.Blocks(BlockMask blocks) -> addBlocks(blocks, job, firstKey, endKey, room);
      case Selection.Gathered(GatheredKeys gathered) ->
          addEntries(gathered.keyIndptr()[jobs[job + SELECTED]], firstKey, endKey, room);
    }
    pages.score(sequence, kvHead, room);
    for (int quad = 0; quad < room.quads; quad++) {
      quadScores.weigh(room, quad, values.weightFactor());
    }
    pages.addValues(sequence, kvHead, room);
    store(jobs[job + PARTIAL] + chunk * room.rows, room);
  }

  private void addTiles(int sequence, int kvHead, int firstKey, int endKey, DecodeRoom room) {
    for (int from = firstKey; from < endKey; from += KEYS) {
      int tile = from / KEYS;
      int lowest = table.lowest(sequence, kvHead, tile);
      int highest = table.highest(sequence, kvHead, tile);
      if (room.touches(lowest, highest)) {
        boolean masked = !mask.exact() || !room.covers(lowest, highest);
        room.addRun(from, Math.min(KEYS, endKey - from), masked);
      }
    }
  }

  /** Keys firstKey to endKey, counted over the selected blocks. */
  private void addBlocks(BlockMask blocks, int job, int firstKey, int endKey, DecodeRoom room) {
    int keys = table.length(jobs[job + SEQUENCE], jobs[job + KV_HEAD]);
    int full = blocks.fullIndptr()[jobs[job + SELECTED]];
    int fullEnd = blocks.fullIndptr()[jobs[job + SELECTED] + 1];
    int partial = blocks.partialIndptr()[jobs[job + SELECTED]];
    int partialEnd = blocks.partialIndptr()[jobs[job + SELECTED] + 1];
    int key = 0;
    // Both lists ascend; merging them keeps the keys in order.
    while (key < endKey && (full < fullEnd || partial < partialEnd)) {
      boolean takeFull =
          partial == partialEnd
              || full < fullEnd && blocks.fullIndices()[full] < blocks.partialIndices()[partial];
      int block = takeFull ? blocks.fullIndices()[full++] : blocks.partialIndices()[partial++];
      int blockKeys = blockKeys(blocks, block, keys);
      int from = Math.max(0, firstKey - key);
      int to = Math.min(blockKeys, endKey - key);
      for (int k = from; k < to; k += KEYS) {
        room.addRun(block * blocks.keyBlock() + k, Math.min(KEYS, to - k), !takeFull);
      }
      key += blockKeys;
    }
  }

  /** Keys of a block: fewer than its size at the end, none past it. */
  private static int blockKeys(BlockMask blocks, int block, int keys) {
    long first = (long) block * blocks.keyBlock();
    return (int) Math.max(0, Math.min(blocks.keyBlock(), keys - first));
  }

  private static void addEntries(int firstEntry, int firstKey, int endKey, DecodeRoom room) {
    for (int from = firstKey; from < endKey; from += KEYS) {
      room.addRun(firstEntry + from, Math.min(KEYS, endKey - from), true);
    }
  }

  private void store(int partial, DecodeRoom room) {
    for (int r = 0; r < room.rows; r++) {
      partials.set(partial + r, room.max[r], room.sum[r]);
      int to = partials.weightedAt(partial + r);
      values.unpack(room.sums, r / 4 * values.sumFloats(), r % 4, partials.weighted(), to);
      room.addGroups(r, partials.weighted(), to, spec.valueDim());
    }
  }

  /** Combines the chunks of a job in key order and writes its rows. */
  void merge(int number) {
    int job = JOB_FIELDS * number;
    int sequence = jobs[job + SEQUENCE];
    int rows = jobs[job + ROWS];
    int chunks = chunks(job);
    for (int r = 0; r < rows; r++) {
      long row = batch.firstRow(sequence) + row(job, r);
      int head = jobs[job + FIRST_HEAD] + r % jobs[job + HEADS];
      partials.merge(jobs[job + PARTIAL] + r, rows, chunks, out, row, head);
    }
  }
}
