package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static jdk.incubator.vector.VectorOperators.EQ;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.kernels.cpu.attention.MaskBounds;
import io.attention4j.kernels.cpu.attention.PageFormat;
import io.attention4j.kernels.cpu.attention.TileTable;
import jdk.incubator.vector.FloatVector;

/**
 * Up to {@link TileTable#KEYS} keys and values of one (sequence, KV head) as floats, in the order
 * in which the register tiles read them: keys row-major, values in panels of 6 and 4 elements. One
 * per worker. Loading copies; it costs about a hundredth of the products of 256 query rows.
 */
final class KeyTile {
  /** A panel's stores run over its end by up to this many floats. */
  private static final int PANEL_SLACK = 8;

  private final int headDim;
  private final int valueDim;
  private final int paddedValueDim;
  private final PageFormat keyFormat;
  private final PageFormat valueFormat;

  /** [KEYS, headDim]; rows past {@link #count} hold anything. */
  final float[] keys;

  /** Panels, see {@link #panelAt}. */
  final float[] values;

  /** Slot of each key, counted over the pages. */
  final int[] slot = new int[TileTable.KEYS];

  /** Position of each key relative to the sequence's first row. */
  final int[] position = new int[TileTable.KEYS];

  /** Score bias of each key, if {@link #biased}. */
  final float[] bias = new float[TileTable.KEYS];

  /** Values as they were read: [KEYS, valueDim]. */
  final float[] rows;

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
    paddedValueDim = Panels.padded(valueDim);
    keyFormat = PageFormat.of(spec.keyFormat());
    valueFormat = PageFormat.of(spec.valueFormat());
    // A last panel of 6 or 4 keys may reach past the tile's keys.
    keys = new float[(TileTable.KEYS + 4) * headDim];
    int sixes = Panels.sixes(paddedValueDim);
    values = new float[panelAt(sixes + Panels.fours(paddedValueDim), sixes)];
    rows = new float[TileTable.KEYS * valueDim + PANEL_SLACK];
  }

  /**
   * Index in {@link #values} of element 0 of key 0 in a panel: panel p holds [KEYS, 6] floats if it
   * is one of the first {@code sixes}, else [KEYS, 4].
   */
  static int panelAt(int panel, int sixes) {
    int wide = Math.min(panel, sixes);
    return wide * (TileTable.KEYS * 6 + PANEL_SLACK)
        + (panel - wide) * (TileTable.KEYS * 4 + PANEL_SLACK);
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
    keyFormat.read(
        PageFormat.host(page.keys()),
        page.keyOffset(),
        page.capacity(),
        headDim,
        at,
        run,
        keys,
        count * headDim);
    valueFormat.read(
        PageFormat.host(page.values()),
        page.valueOffset(),
        page.capacity(),
        valueDim,
        at,
        run,
        rows,
        count * valueDim);
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
    finite = allFinite(rows, count * valueDim);
    packValues();
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
    FloatVector products = FloatVector.zero(FLOAT);
    int i = 0;
    for (; i < FLOAT.loopBound(length); i += LANES) {
      // Infinities and NaN times 0 are NaN, and stay so.
      products = FloatVector.fromArray(FLOAT, x, i).fma(FloatVector.zero(FLOAT), products);
    }
    boolean finite = products.compare(EQ, 0f).allTrue();
    for (; i < length; i++) {
      finite &= Float.isFinite(x[i]);
    }
    return finite;
  }

  /** Stores 8 floats where 6 or 4 belong: the next key, stored later, overwrites the rest. */
  private void packValues() {
    int sixes = Panels.sixes(paddedValueDim);
    int panels = sixes + Panels.fours(paddedValueDim);
    for (int p = 0; p < panels; p++) {
      int width = p < sixes ? 6 : 4;
      int from = p < sixes ? 6 * p : 6 * sixes + 4 * (p - sixes);
      int to = panelAt(p, sixes);
      if (LANES >= 8) {
        for (int k = 0; k < count; k++) {
          FloatVector.fromArray(FloatVector.SPECIES_256, rows, from + k * valueDim)
              .intoArray(values, to + k * width);
        }
      } else {
        for (int k = 0; k < count; k++) {
          for (int i = 0; i < width; i++) {
            values[to + k * width + i] = rows[from + k * valueDim + i];
          }
        }
      }
    }
  }
}
