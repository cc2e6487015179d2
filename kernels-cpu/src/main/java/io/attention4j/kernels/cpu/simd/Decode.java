package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.attention.TileTable.KEYS;
import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.Masks;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.attention.MaskBounds;
import io.attention4j.kernels.cpu.attention.PageFormat;
import io.attention4j.kernels.cpu.attention.TileTable;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Attention of few rows over many keys, bound by the reading of the pages (LeanAttention, Sanovar
 * et al. 2024, arXiv 2405.10480): the keys of every (sequence, KV head) are cut into chunks of
 * {@link #CHUNK_TILES} tiles, all chunks are dealt out to the workers, and {@link #merge} combines
 * the partial results of a row in key order. Chunks depend on slots alone, so that results do not
 * depend on threads. Every page is read once for all query heads of its group, where it lies.
 */
final class Decode {
  /** Most rows (query rows times heads of a group) that this path takes. */
  static final int MOST_ROWS = 16;

  /** Tiles per chunk: its result costs about a hundredth of reading it. */
  static final int CHUNK_TILES = 4;

  private static final int FIELDS = 4;
  private static final int SEQUENCE = 0;
  private static final int KV_HEAD = 1;
  private static final int CHUNK = 2;
  // First row of the chunk's partial results.
  private static final int PARTIAL = 3;

  private final AttentionSpec spec;
  private final MaskBounds mask;
  private final TileTable table;
  private final TileScores scoring;
  private final RowResult results;
  private final PageFormat keyFormat;
  private final PageFormat valueFormat;

  private int[] pieces = new int[FIELDS * 16];
  private int count;
  private int[] jobs = new int[2 * 16];
  private int jobCount;
  private int partialRows;
  private float[] max = new float[0];
  private float[] sum = new float[0];
  private float[] weighted = new float[0];

  private AttentionBatch batch;
  private AttentionInputs in;
  private AttentionOutputs out;

  /** What a worker computes in. */
  static final class Room {
    final float[] q;
    final float[] scores = new float[MOST_ROWS * KEYS];
    final float[] weighted;
    final float[] scratch = new float[KeyDots.SCRATCH];
    final float[] max = new float[MOST_ROWS];
    final float[] sum = new float[MOST_ROWS];
    final int[] first = new int[MOST_ROWS];
    final int[] last = new int[MOST_ROWS];
    final int[] position = new int[KEYS];
    final float[] bias = new float[KEYS];

    Room(AttentionSpec spec) {
      q = new float[MOST_ROWS * spec.headDim()];
      weighted = new float[MOST_ROWS * spec.valueDim()];
    }
  }

  Decode(AttentionSpec spec, MaskBounds mask, TileTable table, TileScores scoring) {
    this.spec = spec;
    this.mask = mask;
    this.table = table;
    this.scoring = scoring;
    results = new RowResult(spec);
    keyFormat = PageFormat.of(spec.keyFormat());
    valueFormat = PageFormat.of(spec.valueFormat());
  }

  /** Forgets the pieces and takes the arguments of a run. */
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

  /** (sequence, KV head) pairs to merge. */
  int merges() {
    return jobCount;
  }

  private int rows(int sequence) {
    return batch.rows(sequence) * spec.groupSize();
  }

  /** Adds the rows of a sequence and KV head, at most {@link #MOST_ROWS}. */
  void addRows(int sequence, int kvHead) {
    if (2 * jobCount == jobs.length) {
      jobs = Arrays.copyOf(jobs, 2 * jobs.length);
    }
    jobs[2 * jobCount] = count;
    int chunks = chunks(sequence, kvHead);
    for (int chunk = 0; chunk < Math.max(1, chunks); chunk++) {
      int at = FIELDS * count;
      if (at == pieces.length) {
        pieces = Arrays.copyOf(pieces, 2 * at);
      }
      pieces[at + SEQUENCE] = sequence;
      pieces[at + KV_HEAD] = kvHead;
      pieces[at + CHUNK] = chunk;
      pieces[at + PARTIAL] = partialRows;
      partialRows = Math.addExact(partialRows, rows(sequence));
      count++;
    }
    jobs[2 * jobCount + 1] = count;
    jobCount++;
  }

  private int chunks(int sequence, int kvHead) {
    return Math.ceilDiv(table.tiles(sequence, kvHead), CHUNK_TILES);
  }

  /** Makes room for the partial results, after all rows were added. */
  void reserve() {
    if (max.length < partialRows) {
      max = new float[partialRows];
      sum = new float[partialRows];
      weighted = new float[Math.multiplyExact(partialRows, spec.valueDim())];
    }
  }

  /** Computes the partial results of a chunk. */
  void run(int piece, Room room) {
    int at = FIELDS * piece;
    int sequence = pieces[at + SEQUENCE];
    int kvHead = pieces[at + KV_HEAD];
    int rows = rows(sequence);
    Arrays.fill(room.max, 0, rows, Float.NEGATIVE_INFINITY);
    Arrays.fill(room.sum, 0, rows, 0);
    Arrays.fill(room.weighted, 0, rows * spec.valueDim(), 0);
    packQueries(sequence, kvHead, rows, room);
    int first = pieces[at + CHUNK] * CHUNK_TILES;
    int end = Math.min(first + CHUNK_TILES, table.tiles(sequence, kvHead));
    for (int tile = first; tile < end; tile++) {
      if (touches(room, rows, sequence, kvHead, tile)) {
        attendTile(sequence, kvHead, tile, rows, room);
      }
    }
    int partial = pieces[at + PARTIAL];
    System.arraycopy(room.max, 0, max, partial, rows);
    System.arraycopy(room.sum, 0, sum, partial, rows);
    int dim = spec.valueDim();
    System.arraycopy(room.weighted, 0, weighted, partial * dim, rows * dim);
  }

  private void packQueries(int sequence, int kvHead, int rows, Room room) {
    Tensor q = in.q();
    MemorySegment memory = PageFormat.host(q.storage());
    float factor = scoring.queryFactor();
    int group = spec.groupSize();
    for (int r = 0; r < rows; r++) {
      int row = r / group;
      int head = kvHead * group + r % group;
      long element = (batch.firstRow(sequence) + row) * q.stride(0) + head * q.stride(1);
      long from = q.byteOffset() + element * Float.BYTES;
      for (int d = 0; d < spec.headDim(); d++) {
        room.q[r * spec.headDim() + d] =
            factor * memory.get(Tensor.FLOAT, from + (long) d * Float.BYTES);
      }
      room.first[r] = mask.first(batch, sequence, row);
      room.last[r] = mask.last(batch, sequence, row);
    }
  }

  private boolean touches(Room room, int rows, int sequence, int kvHead, int tile) {
    int lowest = table.lowest(sequence, kvHead, tile);
    int highest = table.highest(sequence, kvHead, tile);
    for (int r = 0; r < rows; r++) {
      if (highest >= room.first[r] && lowest <= room.last[r]) {
        return true;
      }
    }
    return false;
  }

  private void attendTile(int sequence, int kvHead, int tile, int rows, Room room) {
    int firstSlot = tile * KEYS;
    int keys = Math.min(KEYS, table.length(sequence, kvHead) - firstSlot);
    boolean biased = score(sequence, kvHead, tile, keys, rows, room);
    modify(sequence, kvHead, firstSlot, keys, rows, biased, room);
    hide(sequence, kvHead, tile, keys, rows, room);
    for (int r = 0; r < rows; r++) {
      weigh(r, keys, room);
    }
    addValues(sequence, kvHead, tile, keys, rows, room);
  }

  /** Fills scores, positions and biases; returns whether there are biases. */
  private boolean score(int sequence, int kvHead, int tile, int keys, int rows, Room room) {
    int p = table.page(sequence, kvHead, tile);
    int slot = table.slotInPage(sequence, kvHead, tile);
    boolean biased = false;
    for (int k = 0; k < keys; p++, slot = 0) {
      KvPage page = in.kv().page(sequence, kvHead, p);
      int run = Math.min(page.length() - slot, keys - k);
      KeyDots.scores(
          keyFormat,
          PageFormat.host(page.keys()),
          page.keyOffset(),
          page.capacity(),
          spec.headDim(),
          slot,
          run,
          room.q,
          rows,
          room.scores,
          k,
          room.scratch);
      float[] bias = page.bias();
      biased |= bias != null;
      for (int i = 0; i < run; i++) {
        room.position[k + i] = MaskBounds.relative(batch, sequence, page.position(slot + i));
        room.bias[k + i] = bias == null ? 0 : bias[slot + i];
      }
      k += run;
    }
    return biased;
  }

  private void modify(
      int sequence, int kvHead, int firstSlot, int keys, int rows, boolean biased, Room room) {
    if (spec.modifiers().isEmpty() && !biased) {
      return;
    }
    int group = spec.groupSize();
    float[] s = room.scores;
    boolean natural = !spec.modifiers().isEmpty();
    for (int r = 0; r < rows; r++) {
      int head = kvHead * group + r % group;
      int row = r / group;
      int from = r * KEYS;
      for (int i = 0; i < spec.modifiers().size(); i++) {
        switch (spec.modifiers().get(i)) {
          case ScoreModifier.SoftCap cap -> Exp2.softCap(s, from, from + keys, cap.cap());
          case ScoreModifier.Alibi alibi -> {
            float slope = alibi.slopes().get(head);
            for (int k = 0; k < keys; k++) {
              s[from + k] -= slope * Math.abs(row - room.position[k]);
            }
          }
          case ScoreModifier.AdditiveBias bias -> {
            for (int k = 0; k < keys; k++) {
              s[from + k] += Masks.bias(batch, sequence, head, row, firstSlot + k);
            }
          }
          case ScoreModifier.Custom custom ->
              throw new IllegalStateException("custom modifiers are refused before");
        }
      }
      float unit = scoring.unit();
      for (int k = 0; k < keys; k++) {
        s[from + k] = (natural ? s[from + k] * unit : s[from + k]) + room.bias[k] * unit;
      }
    }
  }

  private void hide(int sequence, int kvHead, int tile, int keys, int rows, Room room) {
    int lowest = table.lowest(sequence, kvHead, tile);
    int highest = table.highest(sequence, kvHead, tile);
    int group = spec.groupSize();
    for (int r = 0; r < rows; r++) {
      if (mask.exact() && lowest >= room.first[r] && highest <= room.last[r]) {
        continue;
      }
      int head = kvHead * group + r % group;
      for (int k = 0; k < keys; k++) {
        int position = room.position[k];
        boolean visible = position >= room.first[r] && position <= room.last[r];
        if (visible && !mask.exact()) {
          long absolute = batch.firstPosition(sequence) + position;
          int slot = tile * KEYS + k;
          visible = Masks.visible(mask.mask(), batch, sequence, head, r / group, slot, absolute);
        }
        if (!visible) {
          room.scores[r * KEYS + k] = scoring.hidden();
        }
      }
    }
  }

  /** Scores of a row to weights, in place; softmax rescales what the row has summed so far. */
  private void weigh(int r, int keys, Room room) {
    float[] s = room.scores;
    int from = r * KEYS;
    // Hidden keys fill the last vector.
    int padded = Math.ceilDiv(keys, LANES) * LANES;
    Arrays.fill(s, from + keys, from + padded, scoring.hidden());
    switch (spec.normalizer()) {
      case Normalizer.Softmax softmax -> softmax(r, from, padded, room);
      case Normalizer.Sigmoid sigmoid -> {
        float shift = sigmoid.bias() * scoring.unit();
        for (int k = from; k < from + padded; k += LANES) {
          FloatVector power = Exp2.of(FloatVector.fromArray(FLOAT, s, k).add(shift));
          FloatVector.broadcast(FLOAT, 1f).div(power.add(1f)).intoArray(s, k);
        }
      }
      case Normalizer.None none -> {
        for (int k = from; k < from + padded; k += LANES) {
          Exp2.finiteOrZero(FloatVector.fromArray(FLOAT, s, k)).intoArray(s, k);
        }
      }
    }
  }

  private void softmax(int r, int from, int padded, Room room) {
    float[] s = room.scores;
    FloatVector top = FloatVector.broadcast(FLOAT, Float.NEGATIVE_INFINITY);
    for (int k = from; k < from + padded; k += LANES) {
      FloatVector x = FloatVector.fromArray(FLOAT, s, k);
      top = top.blend(x, x.compare(VectorOperators.GT, top));
    }
    float old = room.max[r];
    float raised = Math.max(old, top.reduceLanes(VectorOperators.MAX));
    float base = raised == Float.NEGATIVE_INFINITY ? 0 : raised;
    if (raised > old) {
      float correction = (float) Math.exp((old - base) / Exp2.LOG2_E);
      room.max[r] = raised;
      room.sum[r] *= correction;
      int dim = spec.valueDim();
      for (int d = r * dim; d < (r + 1) * dim; d++) {
        room.weighted[d] *= correction;
      }
    }
    FloatVector added = FloatVector.zero(FLOAT);
    for (int k = from; k < from + padded; k += LANES) {
      FloatVector p = Exp2.upTo127(FloatVector.fromArray(FLOAT, s, k).sub(base));
      added = added.add(p);
      p.intoArray(s, k);
    }
    // One by one, since reduceLanes(ADD) fixes no order.
    added.intoArray(room.scratch, 0);
    float total = 0;
    for (int lane = 0; lane < LANES; lane++) {
      total += room.scratch[lane];
    }
    room.sum[r] += total;
  }

  private void addValues(int sequence, int kvHead, int tile, int keys, int rows, Room room) {
    int p = table.page(sequence, kvHead, tile);
    int slot = table.slotInPage(sequence, kvHead, tile);
    for (int k = 0; k < keys; p++, slot = 0) {
      KvPage page = in.kv().page(sequence, kvHead, p);
      int run = Math.min(page.length() - slot, keys - k);
      ValueSums.add(
          valueFormat,
          PageFormat.host(page.values()),
          page.valueOffset(),
          page.capacity(),
          spec.valueDim(),
          slot,
          run,
          room.scores,
          k,
          rows,
          room.weighted);
      k += run;
    }
  }

  /** Combines the chunks of a (sequence, KV head) in key order and writes its rows. */
  void merge(int job) {
    int firstPiece = jobs[2 * job];
    int end = jobs[2 * job + 1];
    int sequence = pieces[FIELDS * firstPiece + SEQUENCE];
    int kvHead = pieces[FIELDS * firstPiece + KV_HEAD];
    int partial = pieces[FIELDS * firstPiece + PARTIAL];
    int rows = rows(sequence);
    int dim = spec.valueDim();
    boolean softmax = spec.normalizer() instanceof Normalizer.Softmax;
    for (int r = 0; r < rows; r++) {
      int into = partial + r;
      for (int piece = firstPiece + 1; piece < end; piece++) {
        add(into, partial + (piece - firstPiece) * rows + r, softmax);
      }
      long row = batch.firstRow(sequence) + r / spec.groupSize();
      int head = kvHead * spec.groupSize() + r % spec.groupSize();
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
