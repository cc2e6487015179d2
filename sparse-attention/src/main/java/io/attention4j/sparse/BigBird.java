package io.attention4j.sparse;

import io.attention4j.engine.operator.OptionSpec;
import java.util.BitSet;
import java.util.SplittableRandom;

/**
 * BigBird's pattern of blocks (Zaheer et al. 2020, arXiv 2007.14062): a window of blocks, global
 * blocks and random blocks.
 *
 * <p>In a bidirectional layer, as in the paper: query block i reads blocks i - w .. i + w with w =
 * (window - 1) / 2, the global blocks, which are the first {@code global} and the last {@code
 * global} of the sequence and read every block, and {@code random} others. In a causal layer, which
 * the paper has not: the last {@code window} blocks, its own included, the first {@code global}
 * blocks and {@code random} others among the earlier ones; a last block cannot be global there, for
 * it would be read by rows before it.
 *
 * <p>The random blocks are drawn without replacement from the seed, the layer and the query block
 * (in a bidirectional layer also from the number of blocks), so they are the same in prefill and in
 * decode. All heads of a layer share them; the paper draws per head.
 *
 * @param block tokens per block
 * @param window blocks of the window; odd in a bidirectional layer
 * @param global global blocks at either end
 * @param random random blocks per query block
 * @param seed of the random blocks
 * @param layer index of the layer, so that layers differ
 * @param bidirectional whether the layer is
 */
public record BigBird(
    int block, int window, int global, int random, int seed, int layer, boolean bidirectional)
    implements BlockSelector {
  /** Name in options. */
  public static final String ID = "bigbird";

  static final int DEFAULT_BLOCK = 64;
  static final int DEFAULT_WINDOW = 3;
  static final int DEFAULT_GLOBAL = 1;
  static final int DEFAULT_RANDOM = 3;

  /** Checks the ranges. */
  public BigBird {
    Settings.require(ID, "block", block, 1);
    Settings.require(ID, "window", window, 1);
    Settings.require(ID, "global", global, 0);
    Settings.require(ID, "random", random, 0);
    Settings.require(ID, "seed", seed, 0);
    if (bidirectional && window % 2 == 0) {
      throw new IllegalArgumentException(
          "'"
              + ID
              + "' setting window="
              + window
              + " must be odd in a bidirectional layer; write window="
              + (window + 1));
    }
  }

  static BigBird of(OptionSpec option) {
    option.allow("block", "window", "global", "random", "seed");
    return new BigBird(
        Settings.integer(option, "block", DEFAULT_BLOCK, 1),
        Settings.integer(option, "window", DEFAULT_WINDOW, 1),
        Settings.integer(option, "global", DEFAULT_GLOBAL, 0),
        Settings.integer(option, "random", DEFAULT_RANDOM, 0),
        Settings.integer(option, "seed", 0, 0),
        0,
        false);
  }

  BigBird in(int ofLayer, boolean bidirectionalLayer) {
    return new BigBird(block, window, global, random, seed, ofLayer, bidirectionalLayer);
  }

  @Override
  public int queryBlock() {
    return block;
  }

  @Override
  public int keyBlock() {
    return block;
  }

  @Override
  public void select(QueryBlock query, BitSet chosen) {
    int i = query.index();
    int blocks = query.keyBlocks();
    int lastGlobals = bidirectional ? Math.max(0, blocks - global) : blocks;
    if (i < global || i >= lastGlobals) {
      chosen.set(0, blocks);
      return;
    }
    int back = bidirectional ? (window - 1) / 2 : window - 1;
    int ahead = bidirectional ? (window - 1) / 2 : 0;
    chosen.set(Math.max(0, i - back), (int) Math.min(blocks, i + ahead + 1L));
    chosen.set(0, Math.min(global, blocks));
    chosen.set(lastGlobals, blocks);
    addRandom(i, bidirectional ? blocks : i, chosen);
  }

  /** Draws blocks of [0, end) that are not chosen yet; takes all where few are left. */
  private void addRandom(int queryBlockIndex, int end, BitSet chosen) {
    int left = end - chosen.get(0, end).cardinality();
    if (left <= random) {
      chosen.set(0, end);
      return;
    }
    SplittableRandom source =
        new SplittableRandom(((long) seed << 32 | layer) * 0x9E3779B97F4A7C15L + queryBlockIndex);
    for (int drawn = 0; drawn < random; drawn++) {
      int nth = source.nextInt(left - drawn);
      int free = chosen.nextClearBit(0);
      while (nth-- > 0) {
        free = chosen.nextClearBit(free + 1);
      }
      chosen.set(free);
    }
  }
}
