package io.attention4j.sparse;

import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OptionSpec;
import java.util.Arrays;
import java.util.BitSet;

/**
 * Query-aware choice of pages while decoding (Quest, Tang et al. 2024, arXiv 2406.10774): the
 * bounds of a page's keys, element by element, bound what a query can score with any of them, and
 * the {@code tokens / page} pages with the highest bounds are read, at least 3. Nothing is dropped.
 * Prompts and the first layers are dense. The page under way is always read and counts.
 *
 * <p>A KV head chooses for its group, by the highest bound of its query heads [R]; the paper has
 * one query head per KV head.
 */
final class Quest implements GatedSelector {
  /** Name in options. */
  static final String ID = "quest";

  private static final int LEAST_PAGES = 3;

  private final Options options;
  private final LayerShape shape;
  private final double[] wide;
  private final float[][] queries; // of a group
  private float[] bounds = {};
  private long[] order = {};

  /**
   * Settings.
   *
   * @param page tokens of a page
   * @param tokens read per step and KV head
   * @param dense first layers that read everything
   */
  record Options(int page, int tokens, int dense) {
    private static final int PAGE = 16;
    private static final int TOKENS = 1024;
    private static final int DENSE = 2;

    /** Checks the ranges. */
    Options {
      Settings.require(ID, "page", page, 1);
      Settings.require(ID, "tokens", tokens, 1);
      Settings.require(ID, "dense", dense, 0);
    }

    static Options of(OptionSpec option) {
      option.allow("page", "tokens", "dense");
      return new Options(
          Settings.integer(option, "page", PAGE, 1),
          Settings.integer(option, "tokens", TOKENS, 1),
          Settings.integer(option, "dense", DENSE, 0));
    }

    int pages() {
      return Math.max(LEAST_PAGES, tokens / page);
    }
  }

  /** A selector for a layer. */
  Quest(Options options, LayerShape shape) {
    this.options = options;
    this.shape = shape;
    wide = new double[shape.headDim()];
    queries = new float[shape.queryHeads() / shape.kvHeads()][shape.headDim()];
  }

  @Override
  public int queryBlock() {
    return Settings.MASKED_QUERY_BLOCK;
  }

  @Override
  public int keyBlock() {
    return options.page;
  }

  @Override
  public BlockMask.HeadAxis headAxis() {
    return BlockMask.HeadAxis.KV_HEAD;
  }

  @Override
  public KeyMemory newMemory() {
    return new KeyBounds(options.page, shape.kvHeads(), shape.headDim());
  }

  @Override
  public void select(QueryBlock rows, BitSet chosen) {
    int pages = rows.keyBlocks();
    if (shape.layer() < options.dense || rows.stepRows() > 1 || pages <= options.pages()) {
      chosen.set(0, pages);
      return;
    }
    KeyBounds memory = (KeyBounds) rows.memory();
    int last = rows.keyBlockOf(rows.firstPosition());
    int complete = Math.min(memory.blocks(), last);
    bound(rows, memory);
    if (order.length < complete) {
      order = new long[2 * complete];
    }
    for (int b = 0; b < complete; b++) {
      order[b] = ranked(bounds[b], b);
    }
    int best = Math.min(complete, options.pages() - 1);
    highestLast(order, complete, best);
    chosen.set(last);
    for (int i = 1; i <= best; i++) {
      chosen.set((int) ~order[complete - i]);
    }
  }

  private void bound(QueryBlock rows, KeyBounds memory) {
    if (bounds.length < memory.blocks()) {
      bounds = new float[2 * memory.blocks()];
    }
    Arrays.fill(bounds, 0, memory.blocks(), Float.NEGATIVE_INFINITY);
    for (int i = 0; i < queries.length; i++) {
      rows.query(rows.head() * queries.length + i, wide);
      for (int d = 0; d < wide.length; d++) {
        queries[i][d] = (float) wide[d];
      }
    }
    memory.raise(rows.head(), queries, bounds);
  }

  /**
   * Moves the highest {@code best} of the first {@code count} values to their end (quickselect).
   */
  private static void highestLast(long[] values, int count, int best) {
    int low = 0;
    int high = count - 1;
    int target = count - best; // where the least of the best will stand
    while (low < high) {
      long pivot = values[(low + high) >>> 1];
      int i = low;
      int j = high;
      while (i <= j) {
        while (values[i] < pivot) {
          i++;
        }
        while (values[j] > pivot) {
          j--;
        }
        if (i <= j) {
          long swapped = values[i];
          values[i++] = values[j];
          values[j--] = swapped;
        }
      }
      if (target <= j) {
        high = j;
      } else if (target >= i) {
        low = i;
      } else {
        return;
      }
    }
  }

  /** Sorts by bound, then the earlier page higher. */
  private static long ranked(float bound, int page) {
    int bits = Float.floatToIntBits(bound);
    int ordered = bits >= 0 ? bits : ~bits ^ Integer.MIN_VALUE;
    return (long) ordered << 32 | ~page & 0xFFFF_FFFFL;
  }
}
