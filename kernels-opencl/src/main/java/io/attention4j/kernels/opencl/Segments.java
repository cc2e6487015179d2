package io.attention4j.kernels.opencl;

import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.GatheredKeys;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvFormat.Q4;
import io.attention4j.engine.attention.KvFormat.Q8;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.PagedKv;
import java.util.ArrayList;
import java.util.List;

/**
 * The keys of a step as segments of up to {@link AttentionSource#TILE}, each in one page or a list
 * of entries, and the pairs of buffers that they lie in: a launch reads a few pairs. The layout of
 * a segment is described in attention.cl (S_x, E_x).
 */
final class Segments {
  private static final int WORDS = 12;
  private static final int COUNT = 4;
  private static final int MEMORY = 11;

  /** Addresses that 16-byte loads need. */
  private static final int ALIGNMENT = 16;

  /** Pairs of buffers that a launch reads, MEMORIES in attention.cl. */
  static final int MEMORIES = 8;

  /** Two buffers that keys and values of pages lie in. */
  record Memory(ClBuffer keys, ClBuffer values) {}

  private final ClContext context;
  private final AttentionSpec spec;
  private final ClTable table;
  private final Words segments = new Words();
  private final List<Memory> memories = new ArrayList<>();
  private boolean aligned;

  // Slots of the (sequence, KV head) that entries were looked up in last.
  private final Words pageStarts = new Words();
  private PagedKv cachedKv;
  private int cachedSequence;
  private int cachedHead;

  Segments(ClContext context, AttentionSpec spec, ClTable table) {
    this.context = context;
    this.spec = spec;
    this.table = table;
  }

  void clear() {
    segments.clear();
    memories.clear();
    aligned = AttentionSource.alignable(spec);
    cachedKv = null;
  }

  /** Number of segments so far. */
  int count() {
    return segments.size() / WORDS;
  }

  List<Memory> memories() {
    return memories;
  }

  /** Number of the launches that read a segment: those of {@link #MEMORIES} memories. */
  int memory(int segment) {
    return (int) segments.get(segment * WORDS + MEMORY) / MEMORIES;
  }

  /** Whether every page starts where 16 bytes can be loaded at once. */
  boolean aligned() {
    return aligned;
  }

  int copyToTable() {
    return segments.copyTo(table);
  }

  /**
   * Adds all keys of a (sequence, KV head). Segments end where pages end and at multiples of {@code
   * keyBlock} slots; the first segment of every block is appended to {@code blocks} unless that is
   * null.
   */
  void addPages(PagedKv kv, int s, int h, int keyBlock, Words blocks) {
    long slot = 0;
    for (int p = 0; p < kv.pageCount(s, h); p++) {
      KvPage page = kv.page(s, h, p);
      if (page.length() == 0) {
        continue;
      }
      int memory = memory(page);
      int positionsAt = addPositions(page);
      int biasAt = addBias(page);
      int first = 0;
      while (first < page.length()) {
        if (blocks != null && slot % keyBlock == 0) {
          blocks.add(count());
        }
        int count = Math.min(AttentionSource.TILE, page.length() - first);
        count = (int) Math.min(count, keyBlock - slot % keyBlock);
        addSegment(page, memory, first, count, slot, positionsAt, biasAt);
        first += count;
        slot += count;
      }
    }
    if (blocks != null) {
      blocks.add(count());
    }
  }

  private int memory(KvPage page) {
    ClBuffer keys = DeviceMemory.of("the page of keys", page.keys(), context);
    ClBuffer values = DeviceMemory.of("the page of values", page.values(), context);
    aligned &= page.keyOffset() % ALIGNMENT == 0 && page.valueOffset() % ALIGNMENT == 0;
    for (int m = memories.size() - 1; m >= 0; m--) {
      if (memories.get(m).keys == keys && memories.get(m).values == values) {
        return m;
      }
    }
    memories.add(new Memory(keys, values));
    return memories.size() - 1;
  }

  private int addPositions(KvPage page) {
    if (page.positions() == null) {
      return -1;
    }
    int at = table.size();
    for (int i = 0; i < page.length(); i++) {
      table.add(page.positions()[i]);
    }
    return at;
  }

  private int addBias(KvPage page) {
    if (page.bias() == null) {
      return -1;
    }
    int at = table.size();
    for (int i = 0; i < page.length(); i++) {
      table.addFloat(page.bias()[i]);
    }
    return at;
  }

  private void addSegment(
      KvPage page, int memory, int first, int count, long slot, int positionsAt, int biasAt) {
    long lowest = page.position(first);
    long highest = lowest + count - 1;
    if (page.positions() != null) {
      highest = lowest;
      for (int i = first; i < first + count; i++) {
        lowest = Math.min(lowest, page.position(i));
        highest = Math.max(highest, page.position(i));
      }
    }
    segments.add(keyAt(page, first));
    segments.add(valueAt(page, first));
    segments.add(keyScaleAt(page, first));
    segments.add(valueScaleAt(page, first));
    segments.add(count);
    segments.add(slot);
    segments.add(lowest);
    segments.add(highest);
    segments.add(positionsAt < 0 ? -1 : positionsAt + first);
    segments.add(biasAt < 0 ? -1 : biasAt + first);
    segments.add(-1);
    segments.add(memory);
  }

  private static long keyAt(KvPage page, int slot) {
    return page.keyOffset() + bytes(page.keyFormat(), slot, page.keyDim());
  }

  private static long valueAt(KvPage page, int slot) {
    return page.valueOffset() + bytes(page.valueFormat(), slot, page.valueDim());
  }

  private static long keyScaleAt(KvPage page, int slot) {
    return page.keyOffset() + scales(page.keyFormat(), page, page.keyDim(), slot);
  }

  private static long valueScaleAt(KvPage page, int slot) {
    return page.valueOffset() + scales(page.valueFormat(), page, page.valueDim(), slot);
  }

  private static long bytes(KvFormat format, int slots, int dim) {
    return switch (format) {
      case KvFormat.Plain plain -> plain.dtype().bytes(dim) * slots;
      case Q8 q8 -> (long) dim * slots;
      case Q4 q4 -> (long) Q4.codeBytes(dim) * slots;
      default -> throw new IllegalArgumentException(format + " is refused by supports");
    };
  }

  private static long scales(KvFormat format, KvPage page, int dim, int slot) {
    return switch (format) {
      case Q8 q8 -> Q8.scaleOffset(page.capacity(), dim) + (long) slot * Float.BYTES;
      case Q4 q4 -> Q4.parameterOffset(page.capacity(), dim) + (long) slot * Q4.parameterBytes(dim);
      default -> 0;
    };
  }

  /** Adds the keys of a group of gathered rows, those of one memory after the other. */
  void addGathered(GatheredKeys gathered, int group, PagedKv kv) {
    int s = gathered.sequence()[group];
    int h = gathered.queryHead()[group] / spec.groupSize();
    lookUp(kv, s, h);
    int from = gathered.keyIndptr()[group];
    int to = gathered.keyIndptr()[group + 1];
    int left = to - from;
    for (int m = 0; left > 0; m++) {
      int open = -1;
      for (int e = from; e < to; e++) {
        int slot = gathered.keyIndices()[e];
        int p = pageOf(slot);
        KvPage page = kv.page(s, h, p);
        if (pageMemory(p) == m) {
          if (open < 0 || segments.get(open + COUNT) == AttentionSource.TILE) {
            open = openEntries(m);
          }
          float bias = gathered.entryBias() == null ? 0 : gathered.entryBias()[e];
          addEntry(open, page, slot, slot - (int) pageStarts.get(2 * p), bias);
          left--;
        }
      }
    }
  }

  /** Fills pageStarts with (first slot, memory) of every page. */
  private void lookUp(PagedKv kv, int s, int h) {
    if (cachedKv == kv && cachedSequence == s && cachedHead == h) {
      return;
    }
    cachedKv = kv;
    cachedSequence = s;
    cachedHead = h;
    pageStarts.clear();
    long slot = 0;
    for (int p = 0; p < kv.pageCount(s, h); p++) {
      KvPage page = kv.page(s, h, p);
      pageStarts.add(slot);
      pageStarts.add(page.length() == 0 ? -1 : memory(page));
      slot += page.length();
    }
  }

  private int pageMemory(int page) {
    return (int) pageStarts.get(2 * page + 1);
  }

  /** The last page that starts at or before a slot. */
  private int pageOf(int slot) {
    int low = 0;
    int high = pageStarts.size() / 2 - 1;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (pageStarts.get(2 * middle) <= slot) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  private int openEntries(int memory) {
    int at = segments.size();
    for (int i = 0; i < WORDS; i++) {
      segments.add(0);
    }
    segments.set(at + 6, Long.MAX_VALUE);
    segments.set(at + 7, Long.MIN_VALUE);
    segments.set(at + 8, -1);
    segments.set(at + 9, -1);
    segments.set(at + 10, table.size());
    segments.set(at + MEMORY, memory);
    return at;
  }

  private void addEntry(int at, KvPage page, int slot, int inPage, float bias) {
    long position = page.position(inPage);
    table.add(keyAt(page, inPage));
    table.add(valueAt(page, inPage));
    table.add(keyScaleAt(page, inPage));
    table.add(valueScaleAt(page, inPage));
    table.add(slot);
    table.add(position);
    table.addFloat(page.bias() == null ? bias : bias + page.bias()[inPage]);
    segments.set(at + COUNT, segments.get(at + COUNT) + 1);
    segments.set(at + 6, Math.min(position, segments.get(at + 6)));
    segments.set(at + 7, Math.max(position, segments.get(at + 7)));
  }
}
