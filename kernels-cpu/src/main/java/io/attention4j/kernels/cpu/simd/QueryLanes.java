package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.attention.MaskBounds;
import io.attention4j.kernels.cpu.attention.PageFormat;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * The query rows of one piece of work, a row of one query head per lane, cut into tiles of {@link
 * #WIDTH} lanes. The heads of a group share keys and so stand side by side: lane = row * heads +
 * head. A tile's q and out are transposed, [dim, WIDTH]. One per worker.
 */
final class QueryLanes {
  /** Lanes of a tile. */
  static final int WIDTH = Species.WIDE ? MicroTile4.WIDTH : MicroTile2.WIDTH;

  /** Queries or sums of a piece of work, in floats: together half of a second-level cache. */
  private static final int PIECE_FLOATS = 1 << 16;

  private static final int MOST = 1024;

  private final int headDim;
  private final int valueDim;
  private final int paddedValueDim;

  /** Row in its sequence, per lane. */
  final int[] row = new int[MOST];

  /** Query head, per lane. */
  final int[] head = new int[MOST];

  /** Lowest relative key position that the mask can show, per lane. */
  final int[] first = new int[MOST];

  /** Highest relative key position that the mask can show, per lane. */
  final int[] last = new int[MOST];

  /** Scratch memory for the maximum over a tile, per lane. */
  final float[] top = new float[MOST];

  /** Running maximum in base 2 (softmax), per lane. */
  final float[] max = new float[MOST];

  /** Sum of weights relative to the maximum, per lane. */
  final float[] sum = new float[MOST];

  /** Scaled queries of tile t at t * headDim * WIDTH: [headDim, WIDTH]. */
  final float[] q;

  /** Weighted values of tile t at t * paddedValueDim * WIDTH: [paddedValueDim, WIDTH]. */
  final float[] out;

  /** Whether tile t has met a key; its out is unset before. */
  final boolean[] started = new boolean[MOST / WIDTH];

  private final int[] lowestFirst = new int[MOST / WIDTH];
  private final int[] highestFirst = new int[MOST / WIDTH];
  private final int[] lowestLast = new int[MOST / WIDTH];
  private final int[] highestLast = new int[MOST / WIDTH];

  /** Sequence of all lanes. */
  int sequence;

  /** Lanes in use. */
  int count;

  /** Tiles in use. */
  int tiles;

  /** Queries or sums of the rows of a vector of lanes: [LANES, headDim or valueDim]. */
  private final float[] rows;

  QueryLanes(AttentionSpec spec) {
    headDim = spec.headDim();
    valueDim = spec.valueDim();
    paddedValueDim = Panels.padded(valueDim);
    int most = most(spec);
    q = new float[most * headDim];
    out = new float[most * paddedValueDim];
    rows = new float[LANES * Math.max(headDim, valueDim)];
  }

  /** Most lanes of one piece of work: enough to hide the cost of loading a key tile. */
  static int most(AttentionSpec spec) {
    int lanes = MOST;
    while (lanes > WIDTH && lanes * Math.max(spec.headDim(), spec.valueDim()) > PIECE_FLOATS) {
      lanes /= 2;
    }
    return lanes;
  }

  /** Starts a piece of work. */
  void begin(int ofSequence) {
    sequence = ofSequence;
    count = 0;
  }

  /** Adds a lane. */
  void add(int ofRow, int ofHead) {
    row[count] = ofRow;
    head[count++] = ofHead;
  }

  /** Packs q times {@code factor}, after all lanes were added. */
  void pack(AttentionBatch batch, MaskBounds mask, Tensor tensor, float factor) {
    tiles = Math.ceilDiv(count, WIDTH);
    for (int lane = count; lane < tiles * WIDTH; lane++) {
      row[lane] = row[count - 1];
      head[lane] = head[count - 1];
    }
    Arrays.fill(max, 0, tiles * WIDTH, Float.NEGATIVE_INFINITY);
    Arrays.fill(sum, 0, tiles * WIDTH, 0);
    Arrays.fill(started, false);
    MemorySegment memory = PageFormat.host(tensor.storage());
    for (int lane = 0; lane < tiles * WIDTH; lane += LANES) {
      for (int i = 0; i < LANES; i++) {
        long element =
            (batch.firstRow(sequence) + row[lane + i]) * tensor.stride(0)
                + head[lane + i] * tensor.stride(1);
        long from = tensor.byteOffset() + element * Float.BYTES;
        MemorySegment.copy(memory, Tensor.FLOAT, from, rows, i * headDim, headDim);
      }
      toLanes(rows, headDim, factor, q, queriesAt(lane / WIDTH) + lane % WIDTH);
    }
    bound(batch, mask);
  }

  /** Row by row, so that checks leave the loop: five times as fast as element by element. */
  private static void toLanes(float[] rows, int dim, float factor, float[] q, int at) {
    for (int i = 0; i < LANES; i++) {
      toLane(rows, i * dim, dim, factor, q, at + i);
    }
  }

  private static void toLane(float[] rows, int from, int dim, float factor, float[] q, int at) {
    for (int d = 0; d < dim; d++) {
      q[at + d * WIDTH] = factor * rows[from + d];
    }
  }

  /** Copies the sums of the vector of lanes from {@code lane} on to {@link #rows}. */
  float[] rows(int lane) {
    toRows(out, outAt(lane / WIDTH) + lane % WIDTH, rows, valueDim);
    return rows;
  }

  private static void toRows(float[] out, int at, float[] rows, int dim) {
    for (int i = 0; i < LANES; i++) {
      toRow(out, at + i, rows, i * dim, dim);
    }
  }

  private static void toRow(float[] out, int at, float[] rows, int to, int dim) {
    for (int d = 0; d < dim; d++) {
      rows[to + d] = out[at + d * WIDTH];
    }
  }

  private void bound(AttentionBatch batch, MaskBounds mask) {
    for (int t = 0; t < tiles; t++) {
      lowestFirst[t] = lowestLast[t] = Integer.MAX_VALUE;
      highestFirst[t] = highestLast[t] = Integer.MIN_VALUE;
      for (int lane = t * WIDTH; lane < (t + 1) * WIDTH; lane++) {
        first[lane] = mask.first(batch, sequence, row[lane]);
        last[lane] = mask.last(batch, sequence, row[lane]);
        lowestFirst[t] = Math.min(lowestFirst[t], first[lane]);
        highestFirst[t] = Math.max(highestFirst[t], first[lane]);
        lowestLast[t] = Math.min(lowestLast[t], last[lane]);
        highestLast[t] = Math.max(highestLast[t], last[lane]);
      }
    }
  }

  /** Whether some lane's interval touches key positions [lowest, highest]. */
  boolean touches(int lowest, int highest) {
    for (int t = 0; t < tiles; t++) {
      if (touches(t, lowest, highest)) {
        return true;
      }
    }
    return false;
  }

  /** Whether some lane of tile t touches key positions [lowest, highest]. */
  boolean touches(int t, int lowest, int highest) {
    return highest >= lowestFirst[t] && lowest <= highestLast[t];
  }

  /** Whether key positions [lowest, highest] lie inside the interval of every lane of tile t. */
  boolean covers(int t, int lowest, int highest) {
    return lowest >= highestFirst[t] && highest <= lowestLast[t];
  }

  /** First key of a tile of consecutive positions that some lane of tile t may see. */
  int firstKey(int t, KeyTile keys) {
    return keys.consecutive ? Math.max(0, lowestFirst[t] - keys.lowest) : 0;
  }

  /** One past the last such key. */
  int endKey(int t, KeyTile keys) {
    return keys.consecutive ? Math.min(keys.count, highestLast[t] - keys.lowest + 1) : keys.count;
  }

  /** Index in {@link #q} of tile t. */
  int queriesAt(int t) {
    return t * headDim * WIDTH;
  }

  /** Index in {@link #out} of tile t. */
  int outAt(int t) {
    return t * paddedValueDim * WIDTH;
  }
}
