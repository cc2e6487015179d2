package io.attention4j.sparse;

import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.runtime.Parallel;
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
  private final Parallel workers;
  private final Scratch[] scratches; // one a worker
  private final int[][] best; // pages of each KV head besides the one under way
  private final Parallel.Body choice = this::choose;
  private QueryBlock rows; // that the workers choose for

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

  /** What a worker writes while it chooses. */
  private static final class Scratch {
    final float[][] queries; // of a group
    final float[][] sums; // of each query
    float[] bounds = {};
    long[] order = {};

    Scratch(int groupSize, int headDim) {
      queries = new float[groupSize][headDim];
      sums = new float[groupSize][0];
    }

    void reserve(int blocks) {
      if (bounds.length < blocks) {
        bounds = new float[2 * blocks];
        Arrays.setAll(sums, _ -> new float[2 * blocks]);
        order = new long[2 * blocks];
      }
    }
  }

  /** A selector for a layer whose KV heads choose on the workers. */
  Quest(Options options, LayerShape shape, Parallel workers) {
    this.options = options;
    this.shape = shape;
    this.workers = workers;
    int groupSize = shape.queryHeads() / shape.kvHeads();
    scratches = new Scratch[workers.threads()];
    Arrays.setAll(scratches, _ -> new Scratch(groupSize, shape.headDim()));
    best = new int[shape.kvHeads()][0];
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
  public void prepare(QueryBlock part) {
    if (!readsAll(part)) {
      rows = part;
      workers.run(shape.kvHeads(), choice);
      rows = null;
    }
  }

  @Override
  public void select(QueryBlock part, BitSet chosen) {
    if (readsAll(part)) {
      chosen.set(0, part.keyBlocks());
      return;
    }
    chosen.set(part.keyBlockOf(part.firstPosition()));
    for (int page : best[part.head()]) {
      chosen.set(page);
    }
  }

  private boolean readsAll(QueryBlock part) {
    return shape.layer() < options.dense
        || part.stepRows() > 1
        || part.keyBlocks() <= options.pages();
  }

  private void choose(int kvHead, int worker) {
    Scratch scratch = scratches[worker];
    KeyBounds memory = (KeyBounds) rows.memory();
    int complete = Math.min(memory.blocks(), rows.keyBlockOf(rows.firstPosition()));
    scratch.reserve(memory.blocks());
    bound(kvHead, memory, scratch);
    long[] order = scratch.order;
    for (int b = 0; b < complete; b++) {
      order[b] = ranked(scratch.bounds[b], b);
    }
    int count = Math.min(complete, options.pages() - 1);
    highestLast(order, complete, count);
    if (best[kvHead].length != count) {
      best[kvHead] = new int[count];
    }
    for (int i = 0; i < count; i++) {
      best[kvHead][i] = (int) ~order[complete - 1 - i];
    }
  }

  private void bound(int kvHead, KeyBounds memory, Scratch scratch) {
    Arrays.fill(scratch.bounds, 0, memory.blocks(), Float.NEGATIVE_INFINITY);
    int groupSize = scratch.queries.length;
    for (int i = 0; i < groupSize; i++) {
      rows.query(kvHead * groupSize + i, scratch.queries[i]);
    }
    memory.raise(kvHead, scratch.queries, scratch.bounds, scratch.sums);
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
