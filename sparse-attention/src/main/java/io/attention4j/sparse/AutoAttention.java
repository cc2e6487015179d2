package io.attention4j.sparse;

import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.AttentionOperator;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.Needs;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.operator.SoftmaxOperator;
import io.attention4j.engine.spi.RopeKernel;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * Picks an operator for every layer and length by measuring. The first step whose sequence is at
 * least 2^k tokens long (k from {@code min} on), of prefill and of decoding apart, is computed by
 * softmax and by every candidate; the fastest whose outputs differ from those of softmax by at most
 * {@code error}, relative in the Euclidean norm, serves that layer at lengths below 2^(k+1).
 * Softmax is always among them. A line to the logger {@code io.attention4j.sparse.auto} says what
 * was picked, and what else was measured.
 *
 * <p>The bound was kept by the step that was measured; it promises nothing for later ones. Choices
 * depend on the clock, so two runs may differ. All candidates read one KV cache.
 *
 * @param options settings
 */
record AutoAttention(Options options) implements AttentionOperator {
  static final String ID = "auto";

  /** Those that need no trained weights and remember nothing that they cannot recompute. */
  private static final List<String> CANDIDATES =
      List.of(
          SinkWindow.ID,
          Window.ID,
          BigBird.ID,
          Longformer.ID,
          BlockTopK.ID,
          PrFlash.ID,
          Lsg.ID,
          HyperAttention.ID);

  /**
   * Settings.
   *
   * @param error most that outputs may differ from those of softmax: |o - softmax| / |softmax|
   * @param candidates names of operators, with their default settings
   * @param min tokens below which softmax serves unmeasured
   */
  record Options(double error, List<String> candidates, int min) {
    static final double DEFAULT_ERROR = 0.05;
    static final int MOST_ERROR = 1000;
    static final int DEFAULT_MIN = 1024;

    Options {
      Settings.requireNumber(ID, "error", error, MOST_ERROR);
      Settings.require(ID, "min", min, 1);
      candidates = List.copyOf(candidates);
      for (String candidate : candidates) {
        if (!CANDIDATES.contains(candidate)) {
          throw new IllegalArgumentException(
              "'"
                  + ID
                  + "' setting candidates has '"
                  + candidate
                  + "', which is none of "
                  + CANDIDATES
                  + "; join names by +");
        }
      }
    }

    static Options of(OptionSpec option) {
      option.allow("error", "candidates", "min");
      String names = option.text("candidates", "sink-window+block-topk+prflash+lsg+hyper");
      return new Options(
          Settings.number(option, "error", DEFAULT_ERROR, MOST_ERROR),
          List.of(names.split("\\+", -1)),
          Settings.integer(option, "min", DEFAULT_MIN, 1));
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
    // Queries and keys are rotated once, so the candidates get a layer without rotation.
    LayerShape rotated =
        new LayerShape(
            shape.layer(),
            shape.queryHeads(),
            shape.kvHeads(),
            shape.headDim(),
            shape.valueDim(),
            shape.scale(),
            shape.mask(),
            shape.modifiers(),
            shape.sinks(),
            null,
            shape.maxPositions());
    SharedCaches shared = new SharedCaches(context.caches());
    OperatorContext ofCandidates =
        new OperatorContext(
            context.kernels(), shared, context.weights(), context.files(), context.operators());
    List<AutoLayer.Candidate> layers = new ArrayList<>();
    layers.add(
        new AutoLayer.Candidate(
            SoftmaxOperator.ID, new SoftmaxOperator().open(rotated, ofCandidates)));
    for (String name : options.candidates) {
      AttentionOperator operator = context.operators().create(OptionSpec.parse(name));
      layers.add(new AutoLayer.Candidate(name, operator.open(rotated, ofCandidates)));
    }
    RopeKernel rope =
        shape.rope() == null ? null : context.kernels().select(RopeKernel.class, shape.rope());
    return new AutoLayer(options, shape, rope, shared, context.kernels().device(), layers);
  }
}
