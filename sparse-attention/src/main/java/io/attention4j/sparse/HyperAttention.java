package io.attention4j.sparse;

import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.AttentionOperator;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.Needs;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.spi.RopeKernel;
import java.util.List;
import java.util.Set;

/**
 * HyperAttention (Han et al. 2023, arXiv 2310.05869): long prefill in near-linear time.
 *
 * <p>In a causal layer a triangle of rows is halved until it has at most {@code min} tokens and is
 * then exact. The square of each halving (later rows, earlier keys, no mask) is approximated: rows
 * and keys are sorted by the same angular hash; the t-th block of sorted rows reads the t-th block
 * of sorted keys exactly, and samples of the square's other keys: uniform ones, each of which
 * counts for (keys / samples) keys, as in the authors' program, or drawn with probability p by the
 * squared norm of their values, each of which counts for 1 / (samples * p) keys, as in the paper.
 * The parts of a row merge by their LSE. A bidirectional layer is one square.
 *
 * <p>Rows that follow a cached past, as in prefill by pieces, have one more square, of all earlier
 * keys. Steps of fewer than {@code min} rows, decoding above all, are exact.
 *
 * <p>No row reads a later key, but where a row is sorted to depends on later queries, and the
 * halving on the number of rows: a decode step is not that row of prefill.
 *
 * @param options settings
 */
public record HyperAttention(Options options) implements AttentionOperator {
  /** Name in options. */
  public static final String ID = "hyper";

  /** How samples of a square are drawn, with replacement. */
  public enum Sampling {
    /** Every key alike. */
    UNIFORM,
    /**
     * By the squared norm of the value. A key whose value is 0 is never drawn, so the mass of such
     * keys is left out.
     */
    VALUES
  }

  /**
   * Settings.
   *
   * @param block keys per block of the sorted square; 0 leaves the blocks out
   * @param samples keys sampled per square and query head; as many as its keys reads each once,
   *     which is exact; 0 leaves the samples out
   * @param sampling how they are drawn
   * @param projections signs of the hash, 2^projections buckets
   * @param min most tokens of an exact triangle, and fewest of either side of a square
   * @param seed of projections and samples
   */
  public record Options(
      int block, int samples, Sampling sampling, int projections, int min, int seed) {
    static final int DEFAULT_BLOCK = 256;
    static final int DEFAULT_SAMPLES = 256;
    static final int DEFAULT_PROJECTIONS = 7;
    static final int DEFAULT_MIN = 4096;
    static final int MOST_PROJECTIONS = 14;

    /** Checks the ranges. */
    public Options {
      Settings.require(ID, "block", block, 0);
      Settings.require(ID, "samples", samples, 0);
      if (block == 0 && samples == 0) {
        throw new IllegalArgumentException(
            "'"
                + ID
                + "' settings block=0 and samples=0 read nothing of a square; write block=1 or"
                + " more, or samples=1 or more");
      }
      Settings.require(ID, "projections", projections, 1, MOST_PROJECTIONS);
      Settings.require(ID, "min", min, 1);
      Settings.require(ID, "seed", seed, 0);
    }

    static Options of(OptionSpec option) {
      option.allow("block", "samples", "sampling", "projections", "min", "seed");
      return new Options(
          Settings.integer(option, "block", DEFAULT_BLOCK, 0),
          Settings.integer(option, "samples", DEFAULT_SAMPLES, 0),
          Settings.choice(option, "sampling", Sampling.UNIFORM),
          Settings.integer(option, "projections", DEFAULT_PROJECTIONS, 1),
          Settings.integer(option, "min", DEFAULT_MIN, 1),
          Settings.integer(option, "seed", 0, 0));
    }
  }

  @Override
  public String id() {
    return ID;
  }

  @Override
  public Needs needs() {
    return new Needs(
        Set.of(), Set.of(), Set.of(Needs.Direction.CAUSAL, Needs.Direction.BIDIRECTIONAL));
  }

  @Override
  public AttentionLayer open(LayerShape shape, OperatorContext context) {
    boolean suits =
        (shape.mask() instanceof Mask.Causal || shape.mask() instanceof Mask.All)
            && shape.modifiers().stream().allMatch(m -> m instanceof ScoreModifier.SoftCap);
    if (!suits) {
      throw new IllegalArgumentException(
          "attention '"
              + ID
              + "' takes causal or bidirectional layers without a window or bias, but layer "
              + shape.layer()
              + " has "
              + shape.mask()
              + " and "
              + shape.modifiers()
              + "; use softmax there, for example 0-3=softmax,4-=hyper");
    }
    KernelSelector kernels = context.kernels();
    RopeKernel rope = shape.rope() == null ? null : kernels.select(RopeKernel.class, shape.rope());
    AttentionPlan dense = plan(shape, context, shape.sinks(), AttentionSpec.SelectionKind.NONE);
    // A sink counts once, so it joins when the parts have merged.
    AttentionPlan parts = plan(shape, context, List.of(), AttentionSpec.SelectionKind.GATHERED);
    return new HyperLayer(options, shape, context, rope, dense, parts);
  }

  private static AttentionPlan plan(
      LayerShape shape,
      OperatorContext context,
      List<Float> sinks,
      AttentionSpec.SelectionKind selection) {
    AttentionSpec spec =
        new AttentionSpec(
            shape.queryHeads(),
            shape.kvHeads(),
            shape.headDim(),
            shape.valueDim(),
            shape.scale(),
            new Normalizer.Softmax(),
            shape.mask(),
            shape.modifiers(),
            sinks,
            context.caches().keyFormat(),
            context.caches().valueFormat(),
            selection);
    return context.kernels().select(AttentionKernel.class, spec).plan(spec);
  }
}
