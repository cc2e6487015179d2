package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.attention.TileTable.KEYS;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.kernels.cpu.attention.MaskBounds;
import io.attention4j.kernels.cpu.attention.PageFormat;
import io.attention4j.kernels.cpu.attention.TileTable;
import java.util.Arrays;

/**
 * Attention of few rows over many keys, bound by the reading of the pages (LeanAttention, Sanovar
 * et al. 2024, arXiv 2405.10480): the keys of every job, a (sequence, KV head), are cut into
 * chunks, all chunks are dealt out to the workers, and {@link #merge} combines the partial results
 * of a row in key order. Chunks depend on slots and rows alone, so that results do not depend on
 * threads. Every page is read once for all query heads of its group, where it lies; a chunk reads
 * all its keys before its values, because memory delivers long streams best.
 */
final class Decode {
  /** Least keys of a chunk: its partial result costs about a hundredth of reading it. */
  static final int LEAST_CHUNK = 512;

  private static final int MOST_CHUNK = 2048;

  /** Chunks of a long sequence, which grow before there are more of them. */
  private static final int CHUNKS = 8;

  private static final int JOB_FIELDS = 8;
  private static final int SEQUENCE = 0;
  private static final int KV_HEAD = 1;
  private static final int FIRST_HEAD = 2;
  private static final int HEADS = 3;
  private static final int ROWS = 4;
  private static final int KEYS_OF_JOB = 5;
  private static final int FIRST_PIECE = 6;
  // First row of the job's partial results; a chunk's follow those of the one before.
  private static final int PARTIAL = 7;

  private final AttentionSpec spec;
  private final MaskBounds mask;
  private final TileTable table;
  private final TileScores scoring;
  private final QuadScores quadScores;
  private final RowResult results;
  private final KeyDots dots;
  private final ValueSums values;

  private int[] jobs = new int[JOB_FIELDS * 16];
  private int jobCount;
  private int[] jobOfPiece = new int[16];
  private int count;
  private int partialRows;
  private float[] max = new float[0];
  private float[] sum = new float[0];
  private float[] weighted = new float[0];

  private AttentionBatch batch;
  private AttentionInputs in;
  private AttentionOutputs out;

  Decode(AttentionSpec spec, MaskBounds mask, TileTable table, TileScores scoring) {
    this.spec = spec;
    this.mask = mask;
    this.table = table;
    this.scoring = scoring;
    quadScores = new QuadScores(spec, mask, scoring);
    results = new RowResult(spec);
    boolean bounded = !(spec.normalizer() instanceof Normalizer.None);
    PageFormat keyFormat = PageFormat.of(spec.keyFormat());
    dots = new KeyDots(keyFormat, new RowBlocks(keyFormat, spec.headDim(), bounded));
    PageFormat valueFormat = PageFormat.of(spec.valueFormat());
    values = new ValueSums(valueFormat, new RowBlocks(valueFormat, spec.valueDim(), bounded));
  }

  /** Room for one worker. */
  DecodeRoom room() {
    return new DecodeRoom(spec, dots);
  }

  /** Forgets the jobs and takes the arguments of a run. */
  void begin(AttentionBatch ofBatch, AttentionInputs inputs, AttentionOutputs outputs) {
    batch = ofBatch;
    in = inputs;
    out = outputs;
    count = 0;
    jobCount = 0;
    partialRows = 0;
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
    add(sequence, kvHead, kvHead * heads, heads, rows, table.length(sequence, kvHead));
  }

  private void add(int sequence, int kvHead, int firstHead, int heads, int rows, int keys) {
    int at = JOB_FIELDS * jobCount;
    if (at == jobs.length) {
      jobs = Arrays.copyOf(jobs, 2 * at);
    }
    jobs[at + SEQUENCE] = sequence;
    jobs[at + KV_HEAD] = kvHead;
    jobs[at + FIRST_HEAD] = firstHead;
    jobs[at + HEADS] = heads;
    jobs[at + ROWS] = rows;
    jobs[at + KEYS_OF_JOB] = keys;
    jobs[at + FIRST_PIECE] = count;
    jobs[at + PARTIAL] = partialRows;
    int chunks = chunks(at);
    if (count + chunks > jobOfPiece.length) {
      jobOfPiece = Arrays.copyOf(jobOfPiece, Math.max(count + chunks, 2 * count));
    }
    Arrays.fill(jobOfPiece, count, count + chunks, at);
    count += chunks;
    partialRows = Math.addExact(partialRows, Math.multiplyExact(chunks, rows));
    jobCount++;
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

  /** Makes room for the partial results, after all jobs were added. */
  void reserve() {
    if (max.length < partialRows) {
      max = new float[partialRows];
      sum = new float[partialRows];
      weighted = new float[Math.multiplyExact(partialRows, spec.valueDim())];
    }
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
      room.addRow(r / heads, jobs[job + FIRST_HEAD] + r % heads);
    }
    room.pack(batch, mask, sequence, in.q(), scoring.queryFactor(), chunkKeys);
    int firstKey = chunk * chunkKeys;
    addTiles(
        sequence, kvHead, firstKey, Math.min(chunkKeys, jobs[job + KEYS_OF_JOB] - firstKey), room);
    int key = 0;
    for (int run = 0; run < room.runs; run++) {
      score(sequence, kvHead, run, key, room);
      key += room.runKeys[run];
    }
    for (int quad = 0; quad < room.quads; quad++) {
      quadScores.weigh(room, quad, values.weightFactor());
    }
    Arrays.fill(room.sums, 0, room.quads * 4 * spec.valueDim(), 0);
    key = 0;
    for (int run = 0; run < room.runs; run++) {
      addValues(sequence, kvHead, run, key, room);
      key += room.runKeys[run];
    }
    store(jobs[job + PARTIAL] + chunk * room.rows, room);
  }

  private void addTiles(int sequence, int kvHead, int firstKey, int keys, DecodeRoom room) {
    for (int from = firstKey; from < firstKey + keys; from += KEYS) {
      int tile = from / KEYS;
      int lowest = table.lowest(sequence, kvHead, tile);
      int highest = table.highest(sequence, kvHead, tile);
      if (room.touches(lowest, highest)) {
        boolean masked = !mask.exact() || !room.covers(lowest, highest);
        room.addRun(from, Math.min(KEYS, firstKey + keys - from), masked);
      }
    }
  }

  private void score(int sequence, int kvHead, int run, int key, DecodeRoom room) {
    int slot = room.runSlot[run];
    int keys = room.runKeys[run];
    boolean masked = room.runMasked[run];
    boolean positions = masked || quadScores.needsPositions();
    boolean biased = false;
    int tile = slot / KEYS;
    int p = table.page(sequence, kvHead, tile);
    int at = table.slotInPage(sequence, kvHead, tile) + slot % KEYS;
    for (int k = 0; k < keys; ) {
      KvPage page = in.kv().page(sequence, kvHead, p++);
      if (at >= page.length()) {
        at -= page.length();
        continue;
      }
      int part = Math.min(page.length() - at, keys - k);
      for (int quad = 0; quad < room.quads; quad++) {
        dots.scores(
            PageFormat.host(page.keys()),
            page.keyOffset(),
            page.capacity(),
            at,
            part,
            room.packed,
            quad * dots.packedFloats(),
            room.inBlocks[quad],
            room.scores,
            room.scoresAt(quad, key + k),
            room.scratch);
      }
      if (positions) {
        for (int i = 0; i < part; i++) {
          room.position[k + i] = MaskBounds.relative(batch, sequence, page.position(at + i));
        }
      }
      biased |= addBias(page, at, part, k, biased, room);
      k += part;
      at = 0;
    }
    quadScores.modify(batch, sequence, room, null, slot, key, keys, biased);
    if (masked) {
      quadScores.hide(batch, sequence, room, null, slot, key, keys);
    }
  }

  private static boolean addBias(
      KvPage page, int at, int part, int k, boolean biased, DecodeRoom room) {
    float[] bias = page.bias();
    if (bias != null) {
      if (!biased) {
        Arrays.fill(room.bias, 0);
      }
      System.arraycopy(bias, at, room.bias, k, part);
    } else if (biased) {
      Arrays.fill(room.bias, k, k + part, 0);
    }
    return bias != null;
  }

  private void addValues(int sequence, int kvHead, int run, int key, DecodeRoom room) {
    int slot = room.runSlot[run];
    int keys = room.runKeys[run];
    int tile = slot / KEYS;
    int p = table.page(sequence, kvHead, tile);
    int at = table.slotInPage(sequence, kvHead, tile) + slot % KEYS;
    for (int k = 0; k < keys; ) {
      KvPage page = in.kv().page(sequence, kvHead, p++);
      if (at >= page.length()) {
        at -= page.length();
        continue;
      }
      int part = Math.min(page.length() - at, keys - k);
      for (int quad = 0; quad < room.quads; quad++) {
        values.add(
            PageFormat.host(page.values()),
            page.valueOffset(),
            page.capacity(),
            at,
            part,
            room.scores,
            room.scoresAt(quad, key + k),
            room.sums,
            quad * 4 * spec.valueDim());
      }
      k += part;
      at = 0;
    }
  }

  private void store(int partial, DecodeRoom room) {
    int dim = spec.valueDim();
    for (int r = 0; r < room.rows; r++) {
      max[partial + r] = room.max[r];
      sum[partial + r] = room.sum[r];
      values.unpack(room.sums, r / 4 * 4 * dim, r % 4, weighted, (partial + r) * dim);
    }
  }

  /** Combines the chunks of a job in key order and writes its rows. */
  void merge(int number) {
    int job = JOB_FIELDS * number;
    int sequence = jobs[job + SEQUENCE];
    int heads = jobs[job + HEADS];
    int rows = jobs[job + ROWS];
    int chunks = chunks(job);
    int dim = spec.valueDim();
    boolean softmax = spec.normalizer() instanceof Normalizer.Softmax;
    for (int r = 0; r < rows; r++) {
      int into = jobs[job + PARTIAL] + r;
      for (int chunk = 1; chunk < chunks; chunk++) {
        add(into, into + chunk * rows, softmax);
      }
      long row = batch.firstRow(sequence) + r / heads;
      int head = jobs[job + FIRST_HEAD] + r % heads;
      boolean empty = softmax && sum[into] == 0;
      results.write(out, row, head, empty, max[into], sum[into], weighted, into * dim, 1);
    }
  }

  private void add(int into, int from, boolean softmax) {
    float keep = 1;
    float take = 1;
    if (softmax) {
      // Not the maximum: a chunk of NaN scores has none, and must reach the result.
      if (sum[from] == 0) {
        return;
      }
      float top = Math.max(max[into], max[from]);
      keep = (float) Math.exp((max[into] - top) / Exp2.LOG2_E);
      take = (float) Math.exp((max[from] - top) / Exp2.LOG2_E);
      max[into] = top;
      sum[into] = sum[into] * keep + sum[from] * take;
    }
    int dim = spec.valueDim();
    for (int d = 0; d < dim; d++) {
      weighted[into * dim + d] = weighted[into * dim + d] * keep + weighted[from * dim + d] * take;
    }
  }
}
