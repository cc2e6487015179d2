package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static jdk.incubator.vector.VectorOperators.EQ;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.kernels.cpu.attention.MaskBounds;
import io.attention4j.kernels.cpu.attention.PageReader;
import io.attention4j.kernels.cpu.attention.TileTable;
import jdk.incubator.vector.FloatVector;

/**
 * Up to {@link TileTable#KEYS} keys and values of one (sequence, KV head) as floats, row-major: the
 * register tiles read both as they lie. One per worker. Loading copies; it costs about a hundredth
 * of the products of 256 query rows.
 */
final class KeyTile {
  private final int headDim;
  private final int valueDim;

  /** [KEYS, headDim]; rows past {@link #count} hold anything. */
  final float[] keys;

  /** [KEYS, valueDim]; rows past {@link #count} hold anything. */
  final float[] values;

  /** Slot of each key, counted over the pages. */
  final int[] slot = new int[TileTable.KEYS];

  /** Position of each key relative to the sequence's first row. */
  final int[] position = new int[TileTable.KEYS];

  /** Score bias of each key, if {@link #biased}. */
  final float[] bias = new float[TileTable.KEYS];

  /** Keys in the tile. */
  int count;

  /** Whether some key has a score bias. */
  boolean biased;

  /** Whether positions ascend by one. */
  boolean consecutive;

  /** Whether all values are finite, so that a weight of zero hides them. */
  boolean finite;

  /** Lowest position. */
  int lowest;

  /** Highest position. */
  int highest;

  KeyTile(AttentionSpec spec) {
    headDim = spec.headDim();
    valueDim = spec.valueDim();
    // A last panel of 6 or 4 keys may reach past the tile's keys, and one of values past its row.
    keys = new float[(TileTable.KEYS + 4) * headDim];
    values = new float[TileTable.KEYS * valueDim + 4];
  }

  /** Loads {@code keyCount} keys from slot {@code firstSlot} on, which exist and fit a tile. */
  void load(
      AttentionBatch batch,
      PagedKv kv,
      TileTable table,
      int sequence,
      int kvHead,
      int firstSlot,
      int keyCount) {
    begin();
    int tile = firstSlot / TileTable.KEYS;
    int p = table.page(sequence, kvHead, tile);
    int at = table.slotInPage(sequence, kvHead, tile) + firstSlot % TileTable.KEYS;
    while (count < keyCount) {
      KvPage page = kv.page(sequence, kvHead, p++);
      if (at >= page.length()) {
        at -= page.length();
        continue;
      }
      int run = Math.min(page.length() - at, keyCount - count);
      append(batch, sequence, page, at, run, firstSlot + count);
      at = 0;
    }
    finish();
  }

  /** Loads the keys at these slots with the bias of each entry. */
  void gather(
      AttentionBatch batch,
      PagedKv kv,
      TileTable table,
      int sequence,
      int kvHead,
      int[] slots,
      float[] entryBias,
      int from,
      int keyCount) {
    begin();
    for (int i = from; i < from + keyCount; i++) {
      int tile = slots[i] / TileTable.KEYS;
      int p = table.page(sequence, kvHead, tile);
      int at = table.slotInPage(sequence, kvHead, tile) + slots[i] % TileTable.KEYS;
      KvPage page = kv.page(sequence, kvHead, p);
      while (at >= page.length()) {
        at -= page.length();
        page = kv.page(sequence, kvHead, ++p);
      }
      append(batch, sequence, page, at, 1, slots[i]);
      if (entryBias != null) {
        bias[count - 1] += entryBias[i];
        biased = true;
      }
    }
    finish();
  }

  private void begin() {
    count = 0;
    biased = false;
  }

  private void append(
      AttentionBatch batch, int sequence, KvPage page, int at, int run, int firstSlot) {
    PageReader.keys(page, at, run, keys, count * headDim);
    PageReader.values(page, at, run, values, count * valueDim);
    float[] slotBias = page.bias();
    biased |= slotBias != null;
    for (int i = 0; i < run; i++) {
      slot[count + i] = firstSlot + i;
      position[count + i] = MaskBounds.relative(batch, sequence, page.position(at + i));
      bias[count + i] = slotBias == null ? 0 : slotBias[at + i];
    }
    count += run;
  }

  private void finish() {
    finite = allFinite(values, count * valueDim);
    lowest = MaskBounds.FAR;
    highest = -MaskBounds.FAR;
    consecutive = true;
    for (int i = 0; i < count; i++) {
      lowest = Math.min(lowest, position[i]);
      highest = Math.max(highest, position[i]);
      consecutive &= position[i] == position[0] + i;
    }
  }

  private static boolean allFinite(float[] x, int length) {
    // Infinities and NaN times 0 are NaN, and stay so.
    FloatVector zero = FloatVector.zero(FLOAT);
    FloatVector a = zero;
    FloatVector b = zero;
    FloatVector c = zero;
    FloatVector d = zero;
    int i = 0;
    for (; i <= length - 4 * LANES; i += 4 * LANES) {
      a = FloatVector.fromArray(FLOAT, x, i).fma(zero, a);
      b = FloatVector.fromArray(FLOAT, x, i + LANES).fma(zero, b);
      c = FloatVector.fromArray(FLOAT, x, i + 2 * LANES).fma(zero, c);
      d = FloatVector.fromArray(FLOAT, x, i + 3 * LANES).fma(zero, d);
    }
    boolean finite = a.add(b).add(c.add(d)).compare(EQ, 0f).allTrue();
    for (; i < length; i++) {
      finite &= Float.isFinite(x[i]);
    }
    return finite;
  }
}
