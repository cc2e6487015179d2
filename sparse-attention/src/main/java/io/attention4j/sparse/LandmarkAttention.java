package io.attention4j.sparse;

import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.AttentionOperator;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.Needs;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.RopeKernel;
import java.util.List;
import java.util.Set;

/**
 * Landmark attention (Mohtashami and Jaggi 2023, arXiv 2305.16300): the last token of every block
 * is a landmark whose key stands for the block. A grouped softmax gives weight to the row's own
 * block so far and to the landmarks of earlier blocks, and the tokens of a block share the weight
 * of its landmark by a softmax of their own; landmarks themselves have weight 0. Only the {@code k}
 * blocks with the best landmarks are read.
 *
 * <p>A block is a state (its landmark's score, its output), so blocks merge into the row's own part
 * as parts of softmax attention do. Tokens are landmarks by position: the caller's text has the
 * model's landmark token as every {@code block}-th.
 *
 * <p>The authors' program retrieves among blocks of earlier chunks and reads the blocks of the
 * chunk at hand all; here every complete earlier block stands for itself, so that the size of steps
 * changes nothing.
 *
 * @param options settings
 */
public record LandmarkAttention(Options options) implements AttentionOperator {
  /** Name in options. */
  public static final String ID = "landmark";

  /** Who shares a choice of blocks. */
  public enum Retrieval {
    /** Every row and query head chooses alone, by score. */
    TOKEN,
    /** All query heads of a row, by the largest share that a head gives the block. */
    HEADS,
    /**
     * The rows of a block that a step brings, per query head, by the largest share that a row gives
     * the block: what the authors use where blocks are fetched from elsewhere.
     */
    CHUNK
  }

  /**
   * Settings.
   *
   * @param block tokens per block, its landmark included
   * @param k blocks read besides the own one; as many as there are, or more, reads all
   * @param retrieval who shares a choice
   * @param stingy whether blocks are moved to the (k + 1) block places before the row's own, so
   *     that no distance exceeds those of training
   */
  public record Options(int block, int k, Retrieval retrieval, boolean stingy) {
    static final int DEFAULT_BLOCK = 64;
    static final int DEFAULT_K = 4;

    /** Checks the ranges. */
    public Options {
      Settings.require(ID, "block", block, 2);
      Settings.require(ID, "k", k, 0);
    }

    static Options of(OptionSpec option) {
      option.allow("block", "k", "retrieval", "stingy");
      return new Options(
          Settings.integer(option, "block", DEFAULT_BLOCK, 2),
          Settings.integer(option, "k", DEFAULT_K, 0),
          Settings.choice(option, "retrieval", Retrieval.TOKEN),
          Settings.flag(option, "stingy"));
    }
  }

  @Override
  public String id() {
    return ID;
  }

  @Override
  public Needs needs() {
    return new Needs(Set.of(), Set.of(), Set.of(Needs.Direction.CAUSAL));
  }

  @Override
  public AttentionLayer open(LayerShape shape, OperatorContext context) {
    boolean plain =
        shape.mask() instanceof Mask.Causal
            && shape.modifiers().isEmpty()
            && shape.sinks().isEmpty();
    if (!plain) {
      throw new IllegalArgumentException(
          "attention '"
              + ID
              + "' takes causal layers without window, bias, cap and sinks, but layer "
              + shape.layer()
              + " has "
              + shape.mask()
              + ", "
              + shape.modifiers()
              + " and "
              + shape.sinks().size()
              + " sinks; use softmax there");
    }
    Settings.requireBlocks(ID, options.k, Options.DEFAULT_K, options.block, shape);
    AttentionSpec spec =
        new AttentionSpec(
            shape.queryHeads(),
            shape.kvHeads(),
            shape.headDim(),
            shape.valueDim(),
            shape.scale(),
            new Normalizer.Softmax(),
            shape.mask(),
            List.of(),
            List.of(),
            context.caches().keyFormat(),
            context.caches().valueFormat(),
            AttentionSpec.SelectionKind.GATHERED);
    KernelSelector kernels = context.kernels();
    return new LandmarkLayer(
        options,
        shape,
        context,
        shape.rope() == null ? null : kernels.select(RopeKernel.class, shape.rope()),
        kernels.select(AttentionKernel.class, spec).plan(spec));
  }
}
