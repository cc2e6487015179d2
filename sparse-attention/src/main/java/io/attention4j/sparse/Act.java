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
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.RopeKernel;
import java.util.BitSet;
import java.util.Set;

/**
 * Attention calibration (ACT, Yu et al. 2024, arXiv 2406.15765): in the calibrated query heads, a
 * key other than the first whose mean weight, over the rows that see it, exceeds tau is a hidden
 * sink; its weights are multiplied by beta and what that frees goes to the row's other keys in
 * proportion to their weights. Dense attention first, then the correction of the calibrated heads
 * on the host, on one thread: it costs their scores once more.
 *
 * <p>In a prompt the sinks of a chunk follow from all rows up to its end, so rows read ahead and
 * results depend on the chunk's size; the authors handle one square map. {@code strict} finds the
 * sinks of every row from the rows up to it [R]. While decoding the sinks of the prompt stay [R];
 * {@code update} goes on counting and tests again in every step [R]. Which heads gain is a question
 * to a model and a task; {@code attention4j act-heads} asks it.
 */
final class Act implements AttentionOperator {
  /** Name in options. */
  static final String ID = "act";

  private final Options options;

  /** An operator with these settings. */
  Act(Options options) {
    this.options = options;
  }

  /**
   * Settings.
   *
   * @param beta what is left of a sink's weights, 0 to 1; 1 changes nothing
   * @param tau mean weight above which a key is a sink
   * @param alpha tau = alpha / keys where positive (the paper's rule), else {@code tau} holds (the
   *     released scripts')
   * @param heads calibrated query heads, or null for all
   * @param spare key that is never a sink
   * @param update whether decoded rows count
   * @param strict whether a row's sinks follow from the rows up to it
   */
  record Options(
      double beta,
      double tau,
      double alpha,
      BitSet heads,
      Spare spare,
      boolean update,
      boolean strict) {
    private static final double BETA = 0.4;
    private static final double TAU = 0.1;

    /** Which key above tau is no hidden sink. */
    enum Spare {
      /** The first of the sequence. */
      TOKEN,
      /** The first that is above tau, as the released code does; mostly the same. */
      FOUND
    }

    static Options of(OptionSpec option) {
      option.allow("beta", "tau", "alpha", "heads", "spare", "update", "strict");
      if (option.values().containsKey("tau") && option.values().containsKey("alpha")) {
        throw new IllegalArgumentException(
            "'act' settings tau and alpha both set the bound; leave one of them out");
      }
      boolean strict = Settings.flag(option, "strict");
      return new Options(
          option.number("beta", BETA, 0, 1),
          option.number("tau", TAU, 0, 1),
          option.number("alpha", 0, 0, 1e9),
          heads(option),
          Settings.choice(option, "spare", Spare.TOKEN),
          Settings.flag(option, "update", strict),
          strict);
    }

    private static BitSet heads(OptionSpec option) {
      String text = option.text("heads", null);
      if (text == null) {
        return null;
      }
      BitSet heads = new BitSet();
      for (String head : text.split("/", -1)) {
        try {
          int number = Integer.parseInt(head);
          Settings.require(ID, "heads", number, 0, 1 << 16);
          heads.set(number);
        } catch (NumberFormatException e) {
          throw new IllegalArgumentException(
              "'act' setting heads="
                  + text
                  + " has '"
                  + head
                  + "', which is no query head; write for example heads=0/3/5",
              e);
        }
      }
      return heads;
    }

    double bound(long keys) {
      return alpha > 0 ? alpha / keys : tau;
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
    requireSuited(shape);
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
            shape.sinks(),
            context.caches().keyFormat(),
            context.caches().valueFormat(),
            AttentionSpec.SelectionKind.NONE);
    RopeKernel rope =
        shape.rope() == null ? null : context.kernels().select(RopeKernel.class, shape.rope());
    return new ActLayer(
        shape,
        options,
        context.caches(),
        context.kernels().device(),
        rope,
        context.kernels().select(AttentionKernel.class, spec).plan(spec));
  }

  private void requireSuited(LayerShape shape) {
    boolean masked =
        shape.mask() instanceof Mask.All
            || shape.mask() instanceof Mask.Causal
            || shape.mask() instanceof Mask.Window window && window.right() == 0;
    boolean modified =
        shape.modifiers().stream()
            .allMatch(m -> m instanceof ScoreModifier.SoftCap || m instanceof ScoreModifier.Alibi);
    if (!masked || !modified || !shape.sinks().isEmpty()) {
      throw new IllegalArgumentException(
          "attention 'act' recomputes weights of causal, sliding or bidirectional layers with soft"
              + " caps and ALiBi, but layer "
              + shape.layer()
              + " has more: "
              + shape.mask()
              + " "
              + shape.modifiers()
              + (shape.sinks().isEmpty() ? "" : " and sink logits")
              + "; use softmax there");
    }
    if (options.heads != null && options.heads.length() > shape.queryHeads()) {
      throw new IllegalArgumentException(
          "'act' setting heads names query head "
              + (options.heads.length() - 1)
              + " but layer "
              + shape.layer()
              + " has 0 to "
              + (shape.queryHeads() - 1)
              + "; name heads of this model");
    }
  }
}
