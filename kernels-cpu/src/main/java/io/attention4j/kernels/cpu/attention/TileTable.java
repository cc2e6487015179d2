package io.attention4j.kernels.cpu.attention;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.PagedKv;
import java.util.Arrays;

/**
 * Where each tile of {@link #KEYS} consecutive key slots of every (sequence, KV head) begins in the
 * pages, and which positions it holds. Built once per run; a tile's number depends on slots alone,
 * so that results do not depend on threads.
 */
public final class TileTable {
  /** Slots per tile. */
  public static final int KEYS = 128;

  private int kvHeads;
  private int[] firstTile = new int[2];
  private int[] length = new int[1];
  private int[] page = new int[16];
  private int[] slotInPage = new int[16];
  private int[] lowest = new int[16];
  private int[] highest = new int[16];
  private int tiles;

  /** An empty table. */
  public TileTable() {}

  /** Reads the page table of all sequences of the batch. */
  public void build(AttentionBatch batch, PagedKv kv) {
    kvHeads = kv.kvHeads();
    int entries = batch.sequences() * kvHeads;
    if (length.length < entries) {
      length = new int[entries];
      firstTile = new int[entries + 1];
    }
    tiles = 0;
    for (int s = 0; s < batch.sequences(); s++) {
      for (int h = 0; h < kvHeads; h++) {
        firstTile[s * kvHeads + h] = tiles;
        length[s * kvHeads + h] = add(batch, kv, s, h);
      }
    }
    firstTile[entries] = tiles;
  }

  private int add(AttentionBatch batch, PagedKv kv, int sequence, int kvHead) {
    int total = 0;
    int pages = kv.pageCount(sequence, kvHead);
    for (int p = 0; p < pages; p++) {
      KvPage at = kv.page(sequence, kvHead, p);
      int slot = 0;
      while (slot < at.length()) {
        if (total % KEYS == 0) {
          begin(p, slot);
        }
        int count = Math.min(at.length() - slot, KEYS - total % KEYS);
        cover(batch, sequence, at, slot, count);
        slot += count;
        total = Math.addExact(total, count);
      }
    }
    return total;
  }

  private void begin(int pageIndex, int slot) {
    if (tiles == page.length) {
      int capacity = 2 * tiles;
      page = Arrays.copyOf(page, capacity);
      slotInPage = Arrays.copyOf(slotInPage, capacity);
      lowest = Arrays.copyOf(lowest, capacity);
      highest = Arrays.copyOf(highest, capacity);
    }
    page[tiles] = pageIndex;
    slotInPage[tiles] = slot;
    lowest[tiles] = MaskBounds.FAR;
    highest[tiles] = -MaskBounds.FAR;
    tiles++;
  }

  private void cover(AttentionBatch batch, int sequence, KvPage at, int slot, int count) {
    int tile = tiles - 1;
    if (at.positions() == null) {
      lowest[tile] =
          Math.min(lowest[tile], MaskBounds.relative(batch, sequence, at.position(slot)));
      highest[tile] =
          Math.max(
              highest[tile], MaskBounds.relative(batch, sequence, at.position(slot + count - 1)));
      return;
    }
    for (int i = slot; i < slot + count; i++) {
      int position = MaskBounds.relative(batch, sequence, at.position(i));
      lowest[tile] = Math.min(lowest[tile], position);
      highest[tile] = Math.max(highest[tile], position);
    }
  }

  /** Filled slots of a (sequence, KV head). */
  public int length(int sequence, int kvHead) {
    return length[sequence * kvHeads + kvHead];
  }

  /** Tiles of a (sequence, KV head): ceil(length / KEYS). */
  public int tiles(int sequence, int kvHead) {
    int entry = sequence * kvHeads + kvHead;
    return firstTile[entry + 1] - firstTile[entry];
  }

  /** Page in which a tile of a (sequence, KV head) begins. */
  public int page(int sequence, int kvHead, int tile) {
    return page[firstTile[sequence * kvHeads + kvHead] + tile];
  }

  /** Slot in that page at which it begins. */
  public int slotInPage(int sequence, int kvHead, int tile) {
    return slotInPage[firstTile[sequence * kvHeads + kvHead] + tile];
  }

  /** Lowest relative position of a tile, see {@link MaskBounds}. */
  public int lowest(int sequence, int kvHead, int tile) {
    return lowest[firstTile[sequence * kvHeads + kvHead] + tile];
  }

  /** Highest relative position of a tile. */
  public int highest(int sequence, int kvHead, int tile) {
    return highest[firstTile[sequence * kvHeads + kvHead] + tile];
  }
}
