package io.attention4j.sparse;

import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OptionSpec;
import java.util.BitSet;

/**
 * Query-aware choice of key blocks: the mean query of a query block scores the mean key of every
 * earlier key block, per KV head, and the k best are read, besides the first block (the sink) and
 * the query's own (the diagonal). Training-free; the gate of SeerAttention (arXiv 2410.13276) with
 * mean pooling in place of learned projections, as in MoBA (arXiv 2502.13189) and InfLLM.
 *
 * <p>The pooled keys are those of complete blocks before the query block, so no row's choice reads
 * a later key. In prefill the rows of a block choose together, so a row's choice depends on later
 * <em>queries</em> of its block, and a decode step differs from that row of prefill. {@code strict}
 * makes every row choose alone: no later input matters, and decode step t equals row t of prefill;
 * prefill is then slower, since the kernel gets blocks of one row.
 */
public final class BlockTopK implements BlockSelector {
  /** Name in options. */
  public static final String ID = "block-topk";

  static final int DEFAULT_BLOCK = 64;
  static final int DEFAULT_K = 16;

  private final Options options;
  private final double[] query;
  private double[] scores = new double[16];

  /**
   * Settings.
   *
   * @param block tokens per block
   * @param k blocks chosen by score; as many as there are is dense
   * @param strict whether every row chooses alone
   */
  public record Options(int block, int k, boolean strict) {
    /** Checks the ranges. */
    public Options {
      Settings.require(ID, "block", block, 1);
      Settings.require(ID, "k", k, 0);
    }

    static Options of(OptionSpec option) {
      option.allow("block", "k", "strict");
      return new Options(
          Settings.integer(option, "block", DEFAULT_BLOCK, 1),
          Settings.integer(option, "k", DEFAULT_K, 0),
          Settings.flag(option, "strict"));
    }
  }

  /** A selector for a layer. */
  public BlockTopK(Options options, LayerShape shape) {
    Settings.requireBlocks(ID, options.k, DEFAULT_K, options.block, shape);
    this.options = options;
    query = new double[shape.headDim()];
  }

  @Override
  public int queryBlock() {
    return options.strict ? 1 : options.block;
  }

  @Override
  public int keyBlock() {
    return options.block;
  }

  @Override
  public BlockMask.HeadAxis headAxis() {
    return BlockMask.HeadAxis.KV_HEAD;
  }

  @Override
  public boolean readsKeyMeans() {
    return true;
  }

  @Override
  public void select(QueryBlock rows, BitSet chosen) {
    int diagonal = rows.keyBlockOf(rows.firstPosition());
    chosen.set(0);
    chosen.set(diagonal);
    int candidates = diagonal - 1; // blocks 1 .. diagonal - 1
    if (candidates <= options.k) {
      chosen.set(0, diagonal);
      return;
    }
    if (scores.length < diagonal) {
      scores = new double[2 * diagonal];
    }
    rows.meanQuery(rows.head(), query);
    for (int b = 1; b < diagonal; b++) {
      scores[b] = rows.keyMeans().dot(rows.head(), b, query);
    }
    for (int taken = 0; taken < options.k; taken++) {
      int best = -1;
      for (int b = 1; b < diagonal; b++) {
        // Of equal scores the earliest block.
        if (!chosen.get(b) && (best < 0 || scores[b] > scores[best])) {
          best = b;
        }
      }
      chosen.set(best);
    }
  }
}
