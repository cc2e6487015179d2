package io.attention4j.kernels.cpu.simd;

import static io.attention4j.engine.attention.KvFormat.Q8.scaleOffset;
import static io.attention4j.kernels.cpu.attention.TileTable.KEYS;
import static io.attention4j.kernels.cpu.simd.GroupLines.COLUMNS;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.GatheredKeys;
import io.attention4j.engine.attention.KvFormat.Grouped;
import io.attention4j.engine.attention.KvFormat.Grouped.Axis;
import io.attention4j.engine.attention.KvFormat.Q4;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.attention.MaskBounds;
import io.attention4j.kernels.cpu.attention.PageFormat;
import io.attention4j.kernels.cpu.attention.PageReader;
import io.attention4j.kernels.cpu.attention.TileTable;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Walks over the pages of a chunk's runs for {@link Decode}: scores of all rows, then sums of
 * values. Gathered keys are copied to a page of their own first; Q4 pages are expanded by tiles,
 * those of groups read as codes ({@link GroupLines}) where their axis allows.
 */
final class DecodePages {
  private final AttentionSpec spec;
  private final TileTable table;
  private final QuadScores quadScores;
  private final KeyDots dots;
  private final ValueSums values;
  private final PageFormat keyFormat;
  private final PageFormat valueFormat;
  private final boolean expandsKeys;
  private final boolean expandsValues;

  private AttentionBatch batch;
  private AttentionInputs in;

  DecodePages(
      AttentionSpec spec, TileTable table, QuadScores quadScores, KeyDots dots, ValueSums values) {
    this.spec = spec;
    this.table = table;
    this.quadScores = quadScores;
    this.dots = dots;
    this.values = values;
    keyFormat = PageFormat.of(spec.keyFormat());
    valueFormat = PageFormat.of(spec.valueFormat());
    expandsKeys = PageFormat.expands(spec.keyFormat());
    expandsValues = PageFormat.expands(spec.valueFormat());
  }

  /** Takes the arguments of a run. */
  void begin(AttentionBatch ofBatch, AttentionInputs inputs) {
    batch = ofBatch;
    in = inputs;
  }

  /** Fills the scores of the room's runs, modified and masked. */
  void score(int sequence, int kvHead, DecodeRoom room) {
    GatheredKeys gathered =
        in.selection() instanceof Selection.Gathered(GatheredKeys keys) ? keys : null;
    int key = 0;
    for (int run = 0; run < room.runs; run++) {
      int slot = room.runSlot[run];
      int keys = room.runKeys[run];
      boolean biased =
          gathered == null
              ? scorePages(sequence, kvHead, run, key, room)
              : scoreEntries(gathered, sequence, kvHead, run, key, room);
      int[] slots = gathered == null ? null : gathered.keyIndices();
      quadScores.modify(batch, sequence, room, slots, slot, key, keys, biased);
      if (room.runMasked[run]) {
        quadScores.hide(batch, sequence, room, slots, slot, key, keys);
      }
      key += keys;
    }
  }

  /** Sums the values of the room's runs. */
  void addValues(int sequence, int kvHead, DecodeRoom room) {
    Arrays.fill(room.sums, 0, room.quads * values.sumFloats(), 0);
    Arrays.fill(room.groupSums, 0, room.quads * room.valueHalves * GroupLines.SUMS, 0);
    GatheredKeys gathered =
        in.selection() instanceof Selection.Gathered(GatheredKeys keys) ? keys : null;
    int key = 0;
    for (int run = 0; run < room.runs; run++) {
      if (gathered == null) {
        addPages(sequence, kvHead, run, key, room);
      } else {
        addEntries(gathered, sequence, kvHead, run, key, room);
      }
      key += room.runKeys[run];
    }
  }

  /** Whether there are biases. */
  private boolean scorePages(int sequence, int kvHead, int run, int key, DecodeRoom room) {
    int slot = room.runSlot[run];
    int keys = room.runKeys[run];
    boolean positions = room.runMasked[run] || quadScores.needsPositions();
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
      MemorySegment memory = PageFormat.host(page.keys());
      if (page.keyFormat() instanceof Grouped format && format.axis() == Axis.CHANNEL) {
        scoreGroups(format, memory, page, at, part, key + k, room);
      } else if (expandsKeys) {
        expandKeys(page, at, part, room, 0);
        scoreQuads(room.gathered, 0, KEYS, 0, part, key + k, room);
      } else {
        scoreQuads(memory, page.keyOffset(), page.capacity(), at, part, key + k, room);
      }
      if (positions) {
        for (int i = 0; i < part; i++) {
          room.position[k + i] = MaskBounds.relative(batch, sequence, page.position(at + i));
        }
      }
      float[] bias = page.bias();
      if (bias != null && !biased) {
        Arrays.fill(room.bias, 0, k, 0);
        biased = true;
      }
      for (int i = 0; biased && i < part; i++) {
        room.bias[k + i] = bias == null ? 0 : bias[at + i];
      }
      k += part;
      at = 0;
    }
    return biased;
  }

  private void scoreQuads(
      MemorySegment memory,
      long offset,
      int capacity,
      int slot,
      int count,
      int key,
      DecodeRoom room) {
    for (int quad = 0; quad < room.quads; quad++) {
      dots.scores(
          memory,
          offset,
          capacity,
          slot,
          count,
          room.packed,
          quad * dots.packedFloats(),
          room.inBlocks[quad],
          room.scores,
          room.scoresAt(quad, key),
          room.scratch,
          room.rowFloats);
    }
  }

  /** Scores of keys by channel, without expanding them. */
  private void scoreGroups(
      Grouped format,
      MemorySegment memory,
      KvPage page,
      int slot,
      int count,
      int key,
      DecodeRoom room) {
    int dim = spec.headDim();
    int end = slot + count;
    for (int half = slot / COLUMNS; half * COLUMNS < end; half++) {
      int from = Math.max(slot, half * COLUMNS);
      int keys = Math.min(end, (half + 1) * COLUMNS) - from;
      for (int quad = 0; quad < room.quads; quad++) {
        Arrays.fill(room.halfSums, 0);
        GroupLines.add(
            format,
            memory,
            page.keyOffset(),
            page.capacity(),
            dim,
            half,
            0,
            dim,
            room.lines,
            quad * 4 * dim,
            room.halfSums,
            0,
            room.multipliers);
        int to = room.scoresAt(quad, key + from - slot);
        if (keys == COLUMNS) {
          GroupLines.interleave(room.halfSums, 0, room.scores, to);
        } else {
          GroupLines.interleave(room.halfSums, 0, room.halfScores, 0);
          int first = 4 * (from - half * COLUMNS);
          System.arraycopy(room.halfScores, first, room.scores, to, 4 * keys);
        }
      }
    }
  }

  /** Sums of values by token, without expanding them. */
  private void addGroups(
      Grouped format,
      MemorySegment memory,
      KvPage page,
      int slot,
      int count,
      int key,
      DecodeRoom room) {
    int dim = spec.valueDim();
    for (int quad = 0; quad < room.quads; quad++) {
      for (int half = 0; half * COLUMNS < dim; half++) {
        GroupLines.add(
            format,
            memory,
            page.valueOffset(),
            page.capacity(),
            dim,
            half,
            slot,
            count,
            room.scores,
            room.scoresAt(quad, key),
            room.groupSums,
            (quad * room.valueHalves + half) * GroupLines.SUMS,
            room.multipliers);
      }
    }
  }

  private boolean scoreEntries(
      GatheredKeys gathered, int sequence, int kvHead, int run, int key, DecodeRoom room) {
    int first = room.runSlot[run];
    int keys = room.runKeys[run];
    boolean biased = gathered.entryBias() != null;
    for (int k = 0; k < keys; k++) {
      int slot = gathered.keyIndices()[first + k];
      int tile = slot / KEYS;
      int p = table.page(sequence, kvHead, tile);
      int at = table.slotInPage(sequence, kvHead, tile) + slot % KEYS;
      KvPage page = in.kv().page(sequence, kvHead, p);
      while (at >= page.length()) {
        at -= page.length();
        page = in.kv().page(sequence, kvHead, ++p);
      }
      if (expandsKeys) {
        expandKeys(page, at, 1, room, k);
      } else {
        MemorySegment memory = PageFormat.host(page.keys());
        copy(keyFormat, spec.headDim(), memory, page.keyOffset(), page.capacity(), at, room, k);
      }
      room.position[k] = MaskBounds.relative(batch, sequence, page.position(at));
      float[] bias = page.bias();
      biased |= bias != null;
      room.bias[k] =
          (bias == null ? 0 : bias[at])
              + (gathered.entryBias() == null ? 0 : gathered.entryBias()[first + k]);
    }
    scoreQuads(room.gathered, 0, KEYS, 0, keys, key, room);
    return biased;
  }

  private void addPages(int sequence, int kvHead, int run, int key, DecodeRoom room) {
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
      MemorySegment memory = PageFormat.host(page.values());
      if (page.valueFormat() instanceof Grouped format
          && format.axis() == Axis.TOKEN
          && at % format.blockLines() == 0) {
        addGroups(format, memory, page, at, part, key + k, room);
      } else if (expandsValues) {
        expandValues(page, at, part, room, 0);
        addQuads(room.gathered, 0, KEYS, 0, part, key + k, room);
      } else {
        addQuads(memory, page.valueOffset(), page.capacity(), at, part, key + k, room);
      }
      k += part;
      at = 0;
    }
  }

  private void addQuads(
      MemorySegment memory,
      long offset,
      int capacity,
      int slot,
      int count,
      int key,
      DecodeRoom room) {
    for (int quad = 0; quad < room.quads; quad++) {
      values.add(
          memory,
          offset,
          capacity,
          slot,
          count,
          room.scores,
          room.scoresAt(quad, key),
          room.sums,
          quad * values.sumFloats(),
          room.rowFloats);
    }
  }

  private void addEntries(
      GatheredKeys gathered, int sequence, int kvHead, int run, int key, DecodeRoom room) {
    int first = room.runSlot[run];
    int keys = room.runKeys[run];
    for (int k = 0; k < keys; k++) {
      int slot = gathered.keyIndices()[first + k];
      int tile = slot / KEYS;
      int p = table.page(sequence, kvHead, tile);
      int at = table.slotInPage(sequence, kvHead, tile) + slot % KEYS;
      KvPage page = in.kv().page(sequence, kvHead, p);
      while (at >= page.length()) {
        at -= page.length();
        page = in.kv().page(sequence, kvHead, ++p);
      }
      if (expandsValues) {
        expandValues(page, at, 1, room, k);
      } else {
        MemorySegment memory = PageFormat.host(page.values());
        copy(
            valueFormat, spec.valueDim(), memory, page.valueOffset(), page.capacity(), at, room, k);
      }
    }
    addQuads(room.gathered, 0, KEYS, 0, keys, key, room);
  }

  /** Keys as floats in slots [k, k + count) of the room's page. */
  private void expandKeys(KvPage page, int slot, int count, DecodeRoom room, int k) {
    int dim = spec.headDim();
    if (page.keyFormat() instanceof Q4) {
      MemorySegment memory = PageFormat.host(page.keys());
      Q4Expand.slots(memory, page.keyOffset(), page.capacity(), dim, slot, count, room.gathered, k);
      return;
    }
    PageReader.keys(page, slot, count, room.expanded, 0);
    store(room, k, count * dim, dim);
  }

  /** Values as floats in slots [k, k + count) of the room's page. */
  private void expandValues(KvPage page, int slot, int count, DecodeRoom room, int k) {
    int dim = spec.valueDim();
    if (page.valueFormat() instanceof Q4) {
      MemorySegment memory = PageFormat.host(page.values());
      Q4Expand.slots(
          memory, page.valueOffset(), page.capacity(), dim, slot, count, room.gathered, k);
      return;
    }
    PageReader.values(page, slot, count, room.expanded, 0);
    store(room, k, count * dim, dim);
  }

  private static void store(DecodeRoom room, int k, int floats, int dim) {
    long to = (long) k * dim * Float.BYTES;
    MemorySegment.copy(room.expanded, 0, room.gathered, Tensor.FLOAT, to, floats);
  }

  /** Copies a slot of a page to slot {@code k} of the room's page of {@link TileTable#KEYS}. */
  private static void copy(
      PageFormat format,
      int dim,
      MemorySegment memory,
      long offset,
      int capacity,
      int slot,
      DecodeRoom room,
      int k) {
    long bytes = (long) dim * format.elementBytes();
    MemorySegment.copy(memory, offset + slot * bytes, room.gathered, k * bytes, bytes);
    if (format == PageFormat.Q8) {
      long from = offset + scaleOffset(capacity, dim) + (long) slot * Float.BYTES;
      long to = scaleOffset(KEYS, dim) + (long) k * Float.BYTES;
      MemorySegment.copy(memory, from, room.gathered, to, Float.BYTES);
    }
  }
}
