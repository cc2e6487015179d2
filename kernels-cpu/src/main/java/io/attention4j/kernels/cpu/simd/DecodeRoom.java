package io.attention4j.kernels.cpu.simd;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.attention.MaskBounds;
import io.attention4j.kernels.cpu.attention.PageFormat;
import io.attention4j.kernels.cpu.attention.TileTable;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * What a worker of {@link Decode} computes in: the query rows of one piece of work, in quads of
 * four, and their scores against a chunk of keys. The keys of a chunk are cut into runs of at most
 * {@link TileTable#KEYS} consecutive slots.
 */
final class DecodeRoom {
  /** Most rows of a piece: with more, the tiles of {@link Prefill} are filled well enough. */
  static final int MOST_ROWS = 32;

  /** Most keys of a chunk times quads. */
  private static final int MOST_SCORES = Decode.LEAST_CHUNK * MOST_ROWS / 4;

  private final int headDim;
  private final KeyDots dots;

  /** Row in its sequence, per row of the piece. */
  final int[] row = new int[MOST_ROWS];

  /** Query head, per row. */
  final int[] head = new int[MOST_ROWS];

  /** Lowest relative key position that the mask can show, per row. */
  final int[] first = new int[MOST_ROWS];

  /** Highest relative key position that the mask can show, per row. */
  final int[] last = new int[MOST_ROWS];

  private final float[] q;

  /** Quads packed by {@link KeyDots#pack}. */
  final float[] packed;

  /** What packing returned, per quad. */
  final boolean[] inBlocks = new boolean[MOST_ROWS / 4];

  /** Scores, then weights, of quad i from {@link #scoresAt}: [keys][4]. */
  final float[] scores;

  /** Sums of the quads in the order of registers, and one float more. */
  final float[] sums;

  /** Maximum of each row over the chunk. */
  final float[] max = new float[MOST_ROWS];

  /** Sum of the weights of each row over the chunk. */
  final float[] sum = new float[MOST_ROWS];

  /** Scratch memory of {@link KeyDots}. */
  final float[] scratch = new float[KeyDots.SCRATCH];

  /** Scratch memory for rows of {@link KeyDots} and {@link ValueSums}. */
  final float[] rowFloats;

  /** Relative positions of a run's keys. */
  final int[] position = new int[TileTable.KEYS];

  /** Biases of a run's keys. */
  final float[] bias = new float[TileTable.KEYS];

  /**
   * A page of {@link TileTable#KEYS} slots for the keys or values of a gathered run, or for those
   * of a page as floats where {@link PageFormat#expands}; null where neither is read.
   */
  final MemorySegment gathered;

  /** On the way there: [KEYS, dim]. */
  final float[] expanded;

  /**
   * Queries of each quad as [headDim][4], and room for {@link GroupLines}; empty without groups.
   */
  final float[] lines;

  /** Scratch memory of {@link GroupLines}. */
  final float[] multipliers;

  /** Sums of a half of a segment of keys. */
  final float[] halfSums = new float[GroupLines.SUMS];

  /** The same, by key. */
  final float[] halfScores = new float[GroupLines.SUMS];

  /** Halves of segments of a value; 0 without groups. */
  final int valueHalves;

  /** Sums of values in groups: [quad][half][4][32]. */
  final float[] groupSums;

  /** First slot of each run; for gathered keys the first entry. */
  int[] runSlot = new int[16];

  /** Keys of each run. */
  int[] runKeys = new int[16];

  /** Whether the mask is evaluated in a run. */
  boolean[] runMasked = new boolean[16];

  /** Runs of the chunk. */
  int runs;

  /** Keys of all runs. */
  int keys;

  /** Rows in use. */
  int rows;

  /** Quads in use. */
  int quads;

  private int quadKeys;

  DecodeRoom(AttentionSpec spec, KeyDots dots, ValueSums values) {
    headDim = spec.headDim();
    this.dots = dots;
    q = new float[MOST_ROWS * headDim];
    packed = new float[MOST_ROWS / 4 * dots.packedFloats()];
    scores = new float[4 * (MOST_SCORES + MOST_ROWS / 4 * QuadScores.SLACK_KEYS)];
    sums = new float[MOST_ROWS / 4 * values.sumFloats() + 1];
    rowFloats = new float[Math.max(dots.rowFloats(), values.rowFloats())];
    gathered =
        spec.selection() == AttentionSpec.SelectionKind.GATHERED
                || PageFormat.expands(spec.keyFormat())
                || PageFormat.expands(spec.valueFormat())
            ? Arena.ofAuto().allocate(gatheredBytes(spec), Tensor.ALIGNMENT_BYTES)
            : null;
    boolean groups = groups(spec.keyFormat()) || groups(spec.valueFormat());
    lines = new float[groups ? MOST_ROWS * headDim : 0];
    multipliers = new float[groups ? GroupLines.scratch(Math.max(TileTable.KEYS, headDim)) : 0];
    valueHalves = groups ? Math.ceilDiv(spec.valueDim(), GroupLines.COLUMNS) : 0;
    groupSums = new float[MOST_ROWS / 4 * valueHalves * GroupLines.SUMS];
    expanded = gathered == null ? null : new float[(int) (gathered.byteSize() / Float.BYTES)];
  }

  private static boolean groups(KvFormat format) {
    return format instanceof KvFormat.Grouped || format instanceof KvFormat.Staircase;
  }

  private static long gatheredBytes(AttentionSpec spec) {
    return Math.max(
        tileBytes(spec.keyFormat(), spec.headDim()),
        tileBytes(spec.valueFormat(), spec.valueDim()));
  }

  private static long tileBytes(KvFormat format, int dim) {
    return (PageFormat.expands(format) ? KvFormat.F32 : format).pageBytes(TileTable.KEYS, dim);
  }

  /** Starts a piece: no rows, no runs. */
  void begin() {
    rows = 0;
    runs = 0;
    keys = 0;
  }

  /** Adds a row of a query head. */
  void addRow(int ofRow, int ofHead) {
    row[rows] = ofRow;
    head[rows++] = ofHead;
  }

  /** Packs q times {@code factor}, after all rows were added. */
  void pack(
      AttentionBatch batch, MaskBounds mask, int sequence, Tensor tensor, float factor, int chunk) {
    MemorySegment memory = PageFormat.host(tensor.storage());
    for (int r = 0; r < rows; r++) {
      long element =
          (batch.firstRow(sequence) + row[r]) * tensor.stride(0) + head[r] * tensor.stride(1);
      long from = tensor.byteOffset() + element * Float.BYTES;
      for (int d = 0; d < headDim; d++) {
        q[r * headDim + d] = factor * memory.get(Tensor.FLOAT, from + (long) d * Float.BYTES);
      }
      first[r] = mask.first(batch, sequence, row[r]);
      last[r] = mask.last(batch, sequence, row[r]);
    }
    quads = Math.ceilDiv(rows, 4);
    quadKeys = chunk + QuadScores.SLACK_KEYS;
    Arrays.fill(q, rows * headDim, quads * 4 * headDim, 0);
    for (int i = 0; i < quads; i++) {
      inBlocks[i] = dots.pack(q, i * 4 * headDim, packed, i * dots.packedFloats());
    }
    for (int i = 0; lines.length > 0 && i < quads * 4 * headDim; i++) {
      int quad = i / (4 * headDim);
      lines[i] = q[(4 * quad + i % 4) * headDim + i / 4 % headDim];
    }
  }

  /** Adds a run of keys. */
  void addRun(int slot, int count, boolean masked) {
    if (runs == runSlot.length) {
      runSlot = Arrays.copyOf(runSlot, 2 * runs);
      runKeys = Arrays.copyOf(runKeys, 2 * runs);
      runMasked = Arrays.copyOf(runMasked, 2 * runs);
    }
    runSlot[runs] = slot;
    runKeys[runs] = count;
    runMasked[runs++] = masked;
    keys += count;
  }

  /** Whether some row may see a key between these relative positions. */
  boolean touches(int lowest, int highest) {
    for (int r = 0; r < rows; r++) {
      if (highest >= first[r] && lowest <= last[r]) {
        return true;
      }
    }
    return false;
  }

  /** Whether every row may see all keys between these relative positions. */
  boolean covers(int lowest, int highest) {
    for (int r = 0; r < rows; r++) {
      if (lowest < first[r] || highest > last[r]) {
        return false;
      }
    }
    return true;
  }

  /** Adds the sums of values in groups of a row. */
  void addGroups(int ofRow, float[] to, int at, int valueDim) {
    for (int d = 0; valueHalves > 0 && d < valueDim; d++) {
      int half = ofRow / 4 * valueHalves + d / GroupLines.COLUMNS;
      to[at + d] += groupSums[(4 * half + ofRow % 4) * GroupLines.COLUMNS + d % GroupLines.COLUMNS];
    }
  }

  /** Index in {@link #scores} of a key of a quad. */
  int scoresAt(int quad, int key) {
    return 4 * (quad * quadKeys + key);
  }
}
