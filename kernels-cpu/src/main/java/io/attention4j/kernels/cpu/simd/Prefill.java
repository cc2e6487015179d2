package io.attention4j.kernels.cpu.simd;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.attention.GatheredKeys;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.Selection;
import io.attention4j.kernels.cpu.attention.MaskBounds;
import io.attention4j.kernels.cpu.attention.TileTable;
import java.util.Arrays;

/**
 * Attention of many rows, tile by tile (FlashAttention-2, Dao 2023, arXiv 2307.08691, with the
 * roles of rows and lanes exchanged): a piece of work is up to {@link QueryLanes#most} rows of one
 * (sequence, KV head); it walks over the key tiles that its rows may see, in key order. Pieces
 * share nothing, and what a row computes does not depend on how rows are cut into pieces.
 */
final class Prefill {
  /**
   * Keys of a chunk: rows that are too few for many pieces are also cut along the keys. With 64
   * lanes a chunk is a million multiply-adds per key element, and its partial result a thousandth.
   */
  static final int CHUNK_KEYS = 4096;

  /** Most lanes of a (sequence, KV head) that are cut along the keys. */
  private static final int MOST_CUT_LANES = 1024;

  /** Ints of a piece, see the constants below. */
  private static final int FIELDS = 9;

  /** Ints of a merge: a piece's number and how many chunks it has. */
  private static final int MERGE_FIELDS = 2;

  private static final int SEQUENCE = 0;
  private static final int KV_HEAD = 1;
  private static final int FIRST_HEAD = 2;
  private static final int HEADS = 3;
  private static final int FIRST_LANE = 4;
  private static final int LANES = 5;
  // The CSR row of a block mask or the number of a gathered group.
  private static final int SELECTED = 6;
  private static final int CHUNK = 7;
  // First row of the piece's partial results, or -1 if it sees all keys.
  private static final int PARTIAL = 8;

  private final AttentionSpec spec;
  private final MaskBounds mask;
  private final TileTable table;
  private final TileScores scoring;
  private final RowResult results;
  private final PartialRows partials;
  private final int paddedValueDim;
  private final int mostLanes;
  private final float[] zeros;
  private int[] pieces = new int[FIELDS * 16];
  private int count;
  private int[] merges = new int[MERGE_FIELDS * 16];
  private int mergeCount;

  private AttentionBatch batch;
  private AttentionInputs in;
  private AttentionOutputs out;

  /** What a worker computes in. */
  static final class Room {
    final KeyTile keys;
    final QueryLanes lanes;
    final float[] scores;
    final TileMaxima maxima = new TileMaxima();

    Room(AttentionSpec spec) {
      keys = new KeyTile(spec);
      lanes = new QueryLanes(spec);
      scores = new float[(TileTable.KEYS + 4) * QueryLanes.WIDTH];
    }
  }

  Prefill(
      AttentionSpec spec,
      MaskBounds mask,
      TileTable table,
      TileScores scoring,
      PartialRows partials) {
    this.spec = spec;
    this.mask = mask;
    this.table = table;
    this.scoring = scoring;
    this.results = new RowResult(spec);
    this.partials = partials;
    this.paddedValueDim = Panels.padded(spec.valueDim());
    mostLanes = QueryLanes.most(spec);
    zeros = new float[spec.valueDim()];
  }

  /** Forgets the pieces and takes the arguments of a run. */
  void begin(AttentionBatch ofBatch, AttentionInputs inputs, AttentionOutputs outputs) {
    batch = ofBatch;
    in = inputs;
    out = outputs;
    count = 0;
    mergeCount = 0;
  }

  /** Number of pieces. */
  int pieces() {
    return count;
  }

  /** Row pieces whose chunks are to be merged. */
  int merges() {
    return mergeCount;
  }

  /** Parts into which the keys of a (sequence, KV head) are cut for each piece of its rows. */
  int chunks(int sequence, int kvHead) {
    int keys = table.length(sequence, kvHead);
    boolean few = (long) batch.rows(sequence) * spec.groupSize() <= MOST_CUT_LANES;
    return few && out.maxima() == null && keys >= 2 * CHUNK_KEYS
        ? Math.ceilDiv(keys, CHUNK_KEYS)
        : 1;
  }

  /**
   * Adds every row of a sequence and KV head, the last rows first: under a causal mask they cost
   * most and the shortest pieces fill the end.
   */
  void addRows(int sequence, int kvHead, int pieceLanes) {
    int heads = spec.groupSize();
    int lanes = Math.multiplyExact(batch.rows(sequence), heads);
    for (int end = lanes; end > 0; ) {
      int from = (end - 1) / pieceLanes * pieceLanes;
      int chunks = chunks(sequence, kvHead);
      if (chunks > 1) {
        addMerge(chunks);
      }
      for (int chunk = 0; chunk < chunks; chunk++) {
        int partial = chunks > 1 ? partials.take(end - from) : -1;
        add(sequence, kvHead, kvHead * heads, heads, from, end - from, -1, chunk, partial);
      }
      end = from;
    }
  }

  private void addMerge(int chunks) {
    int at = mergeCount * MERGE_FIELDS;
    if (at == merges.length) {
      merges = Arrays.copyOf(merges, 2 * at);
    }
    merges[at] = count;
    merges[at + 1] = chunks;
    mergeCount++;
  }

  /** Adds every row of a sequence, cut at the query blocks of a block mask. */
  void addBlocks(BlockMask blocks, int sequence) {
    boolean perQueryHead = blocks.headAxis() == BlockMask.HeadAxis.QUERY_HEAD;
    int heads = perQueryHead ? 1 : spec.groupSize();
    int queryBlocks = Math.ceilDiv(batch.rows(sequence), blocks.queryBlock());
    for (int head = 0; head < spec.queryHeads(); head += heads) {
      int index = blocks.headIndex(head, spec.groupSize());
      for (int b = queryBlocks - 1; b >= 0; b--) {
        int blockRow = blocks.rowOffset()[sequence] + index * queryBlocks + b;
        int firstRow = b * blocks.queryBlock();
        int end = Math.min(batch.rows(sequence), firstRow + blocks.queryBlock()) * heads;
        for (int from = firstRow * heads; from < end; from += mostLanes) {
          int lanes = Math.min(mostLanes, end - from);
          add(sequence, head / spec.groupSize(), head, heads, from, lanes, blockRow, 0, -1);
        }
      }
    }
  }

  /** Adds a group of a gathered selection; its lanes count entries of rowIndices. */
  void addGroup(GatheredKeys gathered, int group) {
    int head = gathered.queryHead()[group];
    int end = gathered.rowIndptr()[group + 1];
    for (int from = gathered.rowIndptr()[group]; from < end; from += mostLanes) {
      int lanes = Math.min(mostLanes, end - from);
      add(gathered.sequence()[group], head / spec.groupSize(), head, 1, from, lanes, group, 0, -1);
    }
  }

  private void add(
      int sequence,
      int kvHead,
      int firstHead,
      int heads,
      int firstLane,
      int lanes,
      int selected,
      int chunk,
      int partial) {
    int at = count * FIELDS;
    if (at == pieces.length) {
      pieces = Arrays.copyOf(pieces, 2 * at);
    }
    pieces[at + SEQUENCE] = sequence;
    pieces[at + KV_HEAD] = kvHead;
    pieces[at + FIRST_HEAD] = firstHead;
    pieces[at + HEADS] = heads;
    pieces[at + FIRST_LANE] = firstLane;
    pieces[at + LANES] = lanes;
    pieces[at + SELECTED] = selected;
    pieces[at + CHUNK] = chunk;
    pieces[at + PARTIAL] = partial;
    count++;
  }

  /** Writes the empty result to every row: a gathered selection may name some rows only. */
  void clear() {
    for (int s = 0; s < batch.sequences(); s++) {
      for (int row = batch.firstRow(s); row < batch.firstRow(s) + batch.rows(s); row++) {
        for (int head = 0; head < spec.queryHeads(); head++) {
          results.write(out, row, head, true, 0, 0, zeros, 0);
        }
      }
    }
  }

  /** Computes a piece. */
  void run(int piece, Room room) {
    int at = piece * FIELDS;
    int sequence = pieces[at + SEQUENCE];
    int kvHead = pieces[at + KV_HEAD];
    int selected = pieces[at + SELECTED];
    QueryLanes lanes = room.lanes;
    lanes.begin(sequence);
    GatheredKeys gathered =
        in.selection() instanceof Selection.Gathered(GatheredKeys keys) ? keys : null;
    int heads = pieces[at + HEADS];
    int firstLane = pieces[at + FIRST_LANE];
    for (int lane = firstLane; lane < firstLane + pieces[at + LANES]; lane++) {
      int row = gathered == null ? lane / heads : gathered.rowIndices()[lane];
      lanes.add(row, pieces[at + FIRST_HEAD] + lane % heads);
    }
    lanes.pack(batch, mask, in.q(), scoring.queryFactor());
    if (out.maxima() != null) {
      room.maxima.begin(out.maxima(), lanes.tiles);
    }
    if (gathered != null) {
      attendGroup(gathered, selected, kvHead, room);
    } else if (in.selection() instanceof Selection.Blocks(BlockMask blocks)) {
      attendBlocks(blocks, selected, kvHead, room);
    } else {
      int tiles = table.tiles(sequence, kvHead);
      int chunkTiles = pieces[at + PARTIAL] < 0 ? tiles : CHUNK_KEYS / TileTable.KEYS;
      int firstTile = pieces[at + CHUNK] * chunkTiles;
      attendTiles(kvHead, room, firstTile, Math.min(tiles, firstTile + chunkTiles));
    }
    if (out.maxima() != null) {
      room.maxima.write(out.maxima(), lanes, batch.firstRow(sequence));
    }
    if (pieces[at + PARTIAL] < 0) {
      write(lanes);
    } else {
      store(lanes, pieces[at + PARTIAL]);
    }
  }

  private void attendTiles(int kvHead, Room room, int firstTile, int endTile) {
    int sequence = room.lanes.sequence;
    int keys = table.length(sequence, kvHead);
    for (int tile = firstTile; tile < endTile; tile++) {
      int lowest = table.lowest(sequence, kvHead, tile);
      int highest = table.highest(sequence, kvHead, tile);
      if (room.lanes.touches(lowest, highest)) {
        int first = tile * TileTable.KEYS;
        load(kvHead, room, first, Math.min(TileTable.KEYS, keys - first));
        attendTile(room, true);
      }
    }
  }

  private void attendBlocks(BlockMask blocks, int blockRow, int kvHead, Room room) {
    int full = blocks.fullIndptr()[blockRow];
    int fullEnd = blocks.fullIndptr()[blockRow + 1];
    int partial = blocks.partialIndptr()[blockRow];
    int partialEnd = blocks.partialIndptr()[blockRow + 1];
    // Both lists ascend; merging them keeps the keys in order.
    while (full < fullEnd || partial < partialEnd) {
      boolean takeFull =
          partial == partialEnd
              || full < fullEnd && blocks.fullIndices()[full] < blocks.partialIndices()[partial];
      int block = takeFull ? blocks.fullIndices()[full++] : blocks.partialIndices()[partial++];
      attendBlock(blocks, block, !takeFull, kvHead, room);
    }
  }

  private void attendBlock(BlockMask blocks, int block, boolean masked, int kvHead, Room room) {
    long keys = table.length(room.lanes.sequence, kvHead);
    long end = Math.min(keys, (block + 1L) * blocks.keyBlock());
    for (long first = (long) block * blocks.keyBlock(); first < end; first += TileTable.KEYS) {
      load(kvHead, room, (int) first, (int) Math.min(TileTable.KEYS, end - first));
      attendTile(room, masked);
    }
  }

  private void attendGroup(GatheredKeys gathered, int group, int kvHead, Room room) {
    int end = gathered.keyIndptr()[group + 1];
    for (int from = gathered.keyIndptr()[group]; from < end; from += TileTable.KEYS) {
      room.keys.gather(
          batch,
          in.kv(),
          table,
          room.lanes.sequence,
          kvHead,
          gathered.keyIndices(),
          gathered.entryBias(),
          from,
          Math.min(TileTable.KEYS, end - from));
      attendTile(room, true);
    }
  }

  private void load(int kvHead, Room room, int first, int keyCount) {
    room.keys.load(batch, in.kv(), table, room.lanes.sequence, kvHead, first, keyCount);
  }

  /** All lanes against the loaded keys. */
  private void attendTile(Room room, boolean masked) {
    KeyTile keys = room.keys;
    QueryLanes lanes = room.lanes;
    for (int t = 0; t < lanes.tiles; t++) {
      int from = 0;
      int to = keys.count;
      boolean hide = false;
      if (masked) {
        if (!lanes.touches(t, keys.lowest, keys.highest)) {
          continue;
        }
        from = lanes.firstKey(t, keys);
        to = lanes.endKey(t, keys);
        hide = !mask.exact() || !lanes.covers(t, keys.lowest, keys.highest);
      }
      attendRange(room, t, from, to, hide);
    }
  }

  private void attendRange(Room room, int t, int from, int to, boolean hide) {
    KeyTile keys = room.keys;
    QueryLanes lanes = room.lanes;
    float[] s = room.scores;
    int padded = Panels.padded(to - from);
    int keysAt = from * spec.headDim();
    int scoresAt = from * QueryLanes.WIDTH;
    if (Species.WIDE) {
      MicroTile4.scores(
          keys.keys, keysAt, spec.headDim(), padded, lanes.q, lanes.queriesAt(t), s, scoresAt);
    } else {
      MicroTile2.scores(
          keys.keys, keysAt, spec.headDim(), padded, lanes.q, lanes.queriesAt(t), s, scoresAt);
    }
    scoring.modify(batch, lanes, t, keys, s, from, to);
    if (hide) {
      scoring.hide(batch, lanes, t, keys, s, from, to);
    }
    if (out.maxima() != null) {
      room.maxima.add(t, s, keys.slot[0], from, to);
    }
    boolean add = lanes.started[t];
    int outAt = lanes.outAt(t);
    int lane = t * QueryLanes.WIDTH;
    switch (spec.normalizer()) {
      case Normalizer.Softmax softmax ->
          TileWeights.softmax(
              s,
              from,
              to,
              lanes.top,
              lanes.max,
              lanes.sum,
              lane,
              lanes.out,
              outAt,
              add ? paddedValueDim : 0);
      case Normalizer.Sigmoid sigmoid ->
          TileWeights.sigmoid(s, from, to, sigmoid.bias() * scoring.unit());
      case Normalizer.None none -> TileWeights.plain(s, from, to);
    }
    if (!keys.finite) {
      TileValues.add(keys.values, spec.valueDim(), from, to, s, lanes.out, outAt, add);
    } else if (Species.WIDE) {
      MicroTile4.values(keys.values, spec.valueDim(), from, to, s, lanes.out, outAt, add);
    } else {
      MicroTile2.values(keys.values, spec.valueDim(), from, to, s, lanes.out, outAt, add);
    }
    lanes.started[t] = true;
  }

  private void write(QueryLanes lanes) {
    float[] rows = null;
    for (int lane = 0; lane < lanes.count; lane++) {
      if (lane % Species.LANES == 0) {
        rows = lanes.rows(lane);
      }
      results.write(
          out,
          batch.firstRow(lanes.sequence) + lanes.row[lane],
          lanes.head[lane],
          !lanes.started[lane / QueryLanes.WIDTH],
          lanes.max[lane],
          lanes.sum[lane],
          rows,
          lane % Species.LANES * spec.valueDim());
    }
  }

  private void store(QueryLanes lanes, int partial) {
    int dim = spec.valueDim();
    float[] rows = null;
    for (int lane = 0; lane < lanes.count; lane++) {
      if (lane % Species.LANES == 0) {
        rows = lanes.rows(lane);
      }
      if (!lanes.started[lane / QueryLanes.WIDTH]) {
        partials.setEmpty(partial + lane);
        continue;
      }
      partials.set(partial + lane, lanes.max[lane], lanes.sum[lane]);
      int to = partials.weightedAt(partial + lane);
      System.arraycopy(rows, lane % Species.LANES * dim, partials.weighted(), to, dim);
    }
  }

  /** Combines the chunks of a row piece in key order and writes its rows. */
  void merge(int number) {
    int at = merges[number * MERGE_FIELDS] * FIELDS;
    int chunks = merges[number * MERGE_FIELDS + 1];
    int lanes = pieces[at + LANES];
    int heads = pieces[at + HEADS];
    for (int i = 0; i < lanes; i++) {
      int lane = pieces[at + FIRST_LANE] + i;
      long row = batch.firstRow(pieces[at + SEQUENCE]) + lane / heads;
      int head = pieces[at + FIRST_HEAD] + lane % heads;
      partials.merge(pieces[at + PARTIAL] + i, lanes, chunks, out, row, head);
    }
  }
}
