package io.attention4j.kernels.opencl;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvFormat.Q8;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.attention.ScoreModifier;
import java.util.ArrayList;
import java.util.List;

/**
 * What attention.cl must know of a step, as one table of words: the work of every group, the
 * segments of the pages, the sequences and which of them each row belongs to. Its layout is
 * described there.
 *
 * <p>The keys of a (sequence, KV head) are cut into ranges that different work groups reduce. A
 * range ends where the pages' memory changes, since a launch reads one buffer of keys and one of
 * values, and when few rows would leave the device idle after {@link #RANGE_SLOTS} slots. The cut
 * depends on the batch alone, never on the device, so results repeat.
 */
final class StepTable implements AutoCloseable {
  /** Slots of a range of keys while decoding. */
  private static final int RANGE_SLOTS = 256;

  /** From this many query vectors of a KV head on, they alone fill the device. */
  private static final int MANY_VECTORS = 128;

  /** Work groups that read the same two buffers. */
  record Launch(ClBuffer keys, ClBuffer values, int workAt, int groups) {}

  /** Slots [segment from, to) of one (sequence, KV head) in one pair of buffers. */
  private record Range(
      int sequence, int kvHead, int from, int to, long state, ClBuffer keys, ClBuffer values) {}

  private final ClContext context;
  private final AttentionSpec spec;
  private final ClTable words;
  private final List<Range> ranges = new ArrayList<>();
  private int segmentsAt;
  private int segments;
  private int sequencesAt;
  private int rowsAt;
  private int slopesAt;
  private int sinksAt;
  private long states;

  StepTable(ClContext context, AttentionSpec spec) {
    this.context = context;
    this.spec = spec;
    this.words = new ClTable(context);
  }

  int segmentsAt() {
    return segmentsAt;
  }

  int sequencesAt() {
    return sequencesAt;
  }

  int sequenceWords() {
    return 5 + 2 * spec.kvHeads();
  }

  int rowsAt() {
    return rowsAt;
  }

  /** Index of the first ALiBi slope, or -1. */
  int slopesAt() {
    return slopesAt;
  }

  /** Index of the first sink, or -1. */
  int sinksAt() {
    return sinksAt;
  }

  /** States of (query vector, range) pairs. */
  long states() {
    return states;
  }

  ClBuffer upload() {
    return words.upload();
  }

  /** Fills the table for a step; returns the launches, in order. */
  List<Launch> fill(AttentionBatch batch, PagedKv kv, OpenClAttentionPlan.Variant variant) {
    words.clear();
    ranges.clear();
    states = 0;
    segments = 0;
    fillConstants();
    fillSequences(batch);
    fillSegments(batch, kv, variant.tile());
    return fillWork(batch, variant.vectors());
  }

  private void fillConstants() {
    slopesAt = -1;
    for (ScoreModifier modifier : spec.modifiers()) {
      if (modifier instanceof ScoreModifier.Alibi alibi) {
        slopesAt = words.size();
        alibi.slopes().forEach(this::addFloat);
      }
    }
    sinksAt = spec.sinks().isEmpty() ? -1 : words.size();
    spec.sinks().forEach(this::addFloat);
  }

  private void addFloat(float value) {
    words.add(Float.floatToRawIntBits(value));
  }

  private void fillSequences(AttentionBatch batch) {
    rowsAt = words.size();
    for (int s = 0; s < batch.sequences(); s++) {
      for (int row = 0; row < batch.rows(s); row++) {
        words.add(s);
      }
    }
    sequencesAt = words.size();
    for (int s = 0; s < batch.sequences(); s++) {
      words.add(batch.firstRow(s));
      words.add(batch.rows(s));
      words.add(batch.firstPosition(s));
      words.add(batch.prefixLength(s));
      words.add(0);
      for (int h = 0; h < spec.kvHeads(); h++) {
        words.add(0);
        words.add(0);
      }
    }
    for (int s = 0; s < batch.sequences(); s++) {
      int[] documents = batch.documents(s);
      if (documents != null) {
        words.set(sequencesAt + s * sequenceWords() + 4, words.size());
        for (int document : documents) {
          words.add(document);
        }
      }
    }
  }

  private void fillSegments(AttentionBatch batch, PagedKv kv, int tile) {
    // Positions and biases come first: segments must lie together.
    int count = 0;
    for (int s = 0; s < batch.sequences(); s++) {
      for (int h = 0; h < spec.kvHeads(); h++) {
        for (int p = 0; p < kv.pageCount(s, h); p++) {
          count += Math.ceilDiv(kv.page(s, h, p).length(), tile);
        }
      }
    }
    segmentsAt = words.size();
    for (int i = 0; i < count * 10L; i++) {
      words.add(0);
    }
    for (int s = 0; s < batch.sequences(); s++) {
      for (int h = 0; h < spec.kvHeads(); h++) {
        long firstState = states;
        int before = ranges.size();
        fillHead(batch, kv, s, h, tile);
        int entry = sequencesAt + s * sequenceWords() + 5 + 2 * h;
        words.set(entry, firstState);
        words.set(entry + 1, ranges.size() - before);
      }
    }
  }

  private void fillHead(AttentionBatch batch, PagedKv kv, int s, int h, int tile) {
    long vectors = (long) batch.rows(s) * spec.groupSize();
    long mostSlots = vectors >= MANY_VECTORS ? Long.MAX_VALUE : RANGE_SLOTS;
    ClBuffer keys = null;
    ClBuffer values = null;
    int from = segments;
    long inRange = 0;
    long slot = 0;
    for (int p = 0; p < kv.pageCount(s, h); p++) {
      KvPage page = kv.page(s, h, p);
      if (page.length() == 0) {
        continue;
      }
      ClBuffer pageKeys = DeviceMemory.of("the page of keys", page.keys(), context);
      ClBuffer pageValues = DeviceMemory.of("the page of values", page.values(), context);
      int positionsAt = addPositions(page);
      int biasAt = addBias(page);
      for (int first = 0; first < page.length(); first += tile) {
        int count = Math.min(tile, page.length() - first);
        boolean other = keys != pageKeys || values != pageValues || inRange + count > mostSlots;
        if (other && segments > from) {
          endRange(s, h, from, vectors, keys, values);
          from = segments;
          inRange = 0;
        }
        keys = pageKeys;
        values = pageValues;
        addSegment(page, first, count, slot, positionsAt, biasAt);
        inRange += count;
        slot += count;
      }
    }
    if (segments > from) {
      endRange(s, h, from, vectors, keys, values);
    }
  }

  private void endRange(int s, int h, int from, long vectors, ClBuffer keys, ClBuffer values) {
    ranges.add(new Range(s, h, from, segments, states, keys, values));
    states += vectors;
  }

  private int addPositions(KvPage page) {
    if (page.positions() == null) {
      return -1;
    }
    int at = words.size();
    for (int i = 0; i < page.length(); i++) {
      words.add(page.positions()[i]);
    }
    return at;
  }

  private int addBias(KvPage page) {
    if (page.bias() == null) {
      return -1;
    }
    int at = words.size();
    for (int i = 0; i < page.length(); i++) {
      addFloat(page.bias()[i]);
    }
    return at;
  }

  private void addSegment(
      KvPage page, int first, int count, long slot, int positionsAt, int biasAt) {
    long lowest = page.position(first);
    long highest = lowest + count - 1;
    if (page.positions() != null) {
      highest = lowest;
      for (int i = first; i < first + count; i++) {
        lowest = Math.min(lowest, page.position(i));
        highest = Math.max(highest, page.position(i));
      }
    }
    int at = segmentsAt + 10 * segments++;
    words.set(at, page.keyOffset() + bytes(page.keyFormat(), first, page.keyDim()));
    words.set(at + 1, page.valueOffset() + bytes(page.valueFormat(), first, page.valueDim()));
    words.set(at + 2, page.keyOffset() + scales(page.keyFormat(), page, page.keyDim(), first));
    words.set(
        at + 3, page.valueOffset() + scales(page.valueFormat(), page, page.valueDim(), first));
    words.set(at + 4, count);
    words.set(at + 5, slot);
    words.set(at + 6, lowest);
    words.set(at + 7, highest);
    words.set(at + 8, positionsAt < 0 ? -1 : positionsAt + first);
    words.set(at + 9, biasAt < 0 ? -1 : biasAt + first);
  }

  private static long bytes(KvFormat format, int slots, int dim) {
    return format.regions(slots, dim).getFirst().slotBytes() * (long) slots;
  }

  private static long scales(KvFormat format, KvPage page, int dim, int slot) {
    return format instanceof Q8
        ? Q8.scaleOffset(page.capacity(), dim) + (long) slot * Float.BYTES
        : 0;
  }

  private List<Launch> fillWork(AttentionBatch batch, int vectorsPerGroup) {
    List<Launch> launches = new ArrayList<>();
    List<Range> left = new ArrayList<>(ranges);
    while (!left.isEmpty()) {
      ClBuffer keys = left.getFirst().keys;
      ClBuffer values = left.getFirst().values;
      int workAt = words.size();
      int groups = 0;
      for (Range range : left) {
        if (range.keys == keys && range.values == values) {
          groups += addWork(range, batch, vectorsPerGroup);
        }
      }
      left.removeIf(range -> range.keys == keys && range.values == values);
      launches.add(new Launch(keys, values, workAt, groups));
    }
    return launches;
  }

  private int addWork(Range range, AttentionBatch batch, int vectorsPerGroup) {
    long vectors = (long) batch.rows(range.sequence) * spec.groupSize();
    int groups = 0;
    for (long first = 0; first < vectors; first += vectorsPerGroup) {
      words.add(range.sequence);
      words.add(range.kvHead);
      words.add(first);
      words.add(range.from);
      words.add(range.to);
      words.add(range.state);
      groups++;
    }
    return groups;
  }

  @Override
  public void close() {
    words.close();
  }
}
