package io.attention4j.sparse;

import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OptionSpec;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/**
 * PrFlashAttention (Li 2024, arXiv 2410.18441): a tile of FlashAttention is computed with a
 * probability that falls with its distance in blocks, and the causal triangle keeps its shape.
 *
 * <p>Query block i keeps key block j with probability p(delta), delta = |i - j|, where p(0) = 1 and
 * p(delta) = min(1, c / (delta + 1)); c is such that the expected number of kept blocks is {@code
 * budget}. Kept blocks are exact and the weights renormalise over them; with {@code unbiased} the
 * scores of a kept block get -log p(delta), so that numerator and denominator have the dense ones
 * as their mean over seeds. Every (layer, query head, i, j) draws for itself, from the seed, so
 * prefill, pieces and decoding keep the same blocks, and results do not depend on threads.
 *
 * <p>The paper gives the idea; it states no formula that could be read, so the distribution, the
 * sink and the unbiased form are our reconstruction.
 */
public final class PrFlash implements BlockSelector {
  /** Name in options. */
  public static final String ID = "prflash";

  private final Options options;
  private final LayerShape shape;
  private final boolean bidirectional;
  private double[] harmonic = {0, 1}; // [n] = 1 + 1/2 + .. + 1/n
  private int factorBlock = -1;
  private int factorBlocks;
  private double factor; // c of that query block

  /** How blocks are kept. */
  public enum Schedule {
    /** At random. */
    SAMPLED,
    /** The {@code budget} most probable, which are the nearest. */
    NEAREST
  }

  /**
   * Settings.
   *
   * @param block tokens per block
   * @param budget expected blocks per query block, the sink not counted; as many as there are, or
   *     more, is dense, 1 is the query's own block alone
   * @param sink whether the first block is always kept
   * @param schedule sampled, or the nearest blocks
   * @param unbiased whether kept blocks count for those left out (inverse probability weights)
   * @param alpha slope of {@link HarmonicAlibi}, 0 for none
   * @param seed of the draws
   */
  public record Options(
      int block,
      int budget,
      boolean sink,
      Schedule schedule,
      boolean unbiased,
      double alpha,
      int seed) {
    static final int DEFAULT_BLOCK = 64;
    static final int DEFAULT_BUDGET = 16;
    static final int MOST_ALPHA = 1000;

    /** Checks the ranges. */
    public Options {
      Settings.require(ID, "block", block, 1);
      Settings.require(ID, "budget", budget, 1);
      Settings.require(ID, "seed", seed, 0);
      Settings.requireNumber(ID, "alpha", alpha, MOST_ALPHA);
      if (unbiased && schedule == Schedule.NEAREST) {
        throw new IllegalArgumentException(
            "'"
                + ID
                + "' setting unbiased=true weights what was drawn, but schedule=nearest draws"
                + " nothing; write schedule=sampled");
      }
    }

    static Options of(OptionSpec option) {
      option.allow("block", "budget", "sink", "schedule", "unbiased", "alpha", "seed");
      return new Options(
          Settings.integer(option, "block", DEFAULT_BLOCK, 1),
          Settings.integer(option, "budget", DEFAULT_BUDGET, 1),
          Settings.flag(option, "sink", true),
          Settings.choice(option, "schedule", Schedule.SAMPLED),
          Settings.flag(option, "unbiased", false),
          Settings.number(option, "alpha", 0, MOST_ALPHA),
          Settings.integer(option, "seed", 0, 0));
    }
  }

  /** A selector for a layer. */
  public PrFlash(Options options, LayerShape shape) {
    this.options = options;
    this.shape = shape;
    bidirectional = shape.mask() instanceof Mask.All;
  }

  @Override
  public int queryBlock() {
    return options.block;
  }

  @Override
  public int keyBlock() {
    return options.block;
  }

  @Override
  public BlockMask.HeadAxis headAxis() {
    return options.schedule == Schedule.SAMPLED
        ? BlockMask.HeadAxis.QUERY_HEAD
        : BlockMask.HeadAxis.ONE;
  }

  @Override
  public List<ScoreModifier> modifiers() {
    return options.alpha == 0
        ? List.of()
        : List.of(HarmonicAlibi.of(options.alpha, shape.queryHeads()));
  }

  @Override
  public boolean weighsBlocks() {
    return options.unbiased;
  }

  @Override
  public float blockBias(QueryBlock query, int keyBlock) {
    double probability = probability(query, keyBlock);
    return (float) -Math.log(probability);
  }

  @Override
  public void select(QueryBlock query, BitSet chosen) {
    int i = query.index();
    int blocks = bidirectional ? query.keyBlocks() : i + 1;
    if (options.schedule == Schedule.NEAREST) {
      // Of a bidirectional layer the window is centred, the earlier side first.
      int before = bidirectional ? options.budget / 2 : options.budget - 1;
      int after = bidirectional ? options.budget - 1 - before : 0;
      chosen.set(Math.max(0, i - before), (int) Math.min(blocks, i + after + 1L));
    } else {
      for (int j = 0; j < blocks; j++) {
        double probability = probability(query, j);
        if (probability >= 1 || uniform(query.head(), i, j) < probability) {
          chosen.set(j);
        }
      }
    }
    if (options.sink) {
      chosen.set(0);
    }
  }

  /** With which a query block keeps a key block. */
  private double probability(QueryBlock query, int keyBlock) {
    int i = query.index();
    int blocks = bidirectional ? query.keyBlocks() : i + 1;
    if (factorBlock != i || factorBlocks != blocks) {
      factor = factor(i, blocks - 1 - i, options.budget);
      factorBlock = i;
      factorBlocks = blocks;
    }
    if (options.sink && keyBlock == 0) {
      return 1;
    }
    int delta = Math.abs(i - keyBlock);
    return delta == 0 ? 1 : Math.min(1, factor / (delta + 1));
  }

  /**
   * The c at which a query block with so many blocks before and after it is expected to keep {@code
   * budget} blocks.
   */
  double factor(int before, int after, double budget) {
    double most = Math.max(before, after) + 1.0;
    if (budget >= 1.0 + before + after) {
      return most;
    }
    double low = 0;
    double high = most;
    for (int step = 0; step < Double.PRECISION; step++) {
      double middle = (low + high) / 2;
      if (1 + expected(middle, before) + expected(middle, after) < budget) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return high;
  }

  /** Sum of min(1, c / (delta + 1)) over delta = 1 .. n. */
  private double expected(double c, int n) {
    int sure = (int) Math.clamp(Math.floor(c) - 1, 0, n);
    return sure + c * (harmonic(n + 1) - harmonic(sure + 1));
  }

  private double harmonic(int n) {
    if (n >= harmonic.length) {
      double[] longer = Arrays.copyOf(harmonic, 2 * n);
      for (int i = harmonic.length; i < longer.length; i++) {
        longer[i] = longer[i - 1] + 1.0 / i;
      }
      harmonic = longer;
    }
    return harmonic[n];
  }

  /** In [0, 1), the same for the same (seed, layer, head, i, j): a counter-based generator. */
  private double uniform(int head, int i, int j) {
    long x = mix(((long) options.seed << 32) + shape.layer());
    x = mix(x + head);
    x = mix(x + ((long) i << 32) + j);
    return (x >>> 11) * 0x1p-53;
  }

  /** The finaliser of SplitMix64 (Steele, Lea and Flood 2014). */
  private static long mix(long x) {
    long z = x + 0x9E3779B97F4A7C15L;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
