package io.attention4j.sparse;

import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.Masks;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.AttentionOperator;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.Needs;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.RopeKernel;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.function.Function;

/**
 * Softmax attention over the key blocks that a {@link BlockSelector} chooses: rotate, append,
 * select, attend. The whole cache is kept; what is saved is the reading of unchosen blocks.
 */
public final class BlockSparseOperator implements AttentionOperator {
  private final String id;
  private final Set<Needs.Direction> directions;
  private final BiFunction<LayerShape, OperatorContext, BlockSelector> selectors;

  /**
   * An operator.
   *
   * @param id name in options
   * @param directions whether it serves causal layers, bidirectional ones (mask {@link Mask.All}),
   *     or both
   * @param selectors makes the selector of a layer; throws {@link IllegalArgumentException} if the
   *     settings do not suit the layer
   */
  public BlockSparseOperator(
      String id, Set<Needs.Direction> directions, Function<LayerShape, BlockSelector> selectors) {
    this(id, directions, (shape, context) -> selectors.apply(shape));
  }

  /** An operator whose selectors have weights. */
  BlockSparseOperator(
      String id,
      Set<Needs.Direction> directions,
      BiFunction<LayerShape, OperatorContext, BlockSelector> selectors) {
    this.id = id;
    this.directions = Set.copyOf(directions);
    this.selectors = selectors;
  }

  @Override
  public String id() {
    return id;
  }

  @Override
  public Needs needs() {
    return new Needs(Set.of(), Set.of(), directions);
  }

  @Override
  public AttentionLayer open(LayerShape shape, OperatorContext context) {
    requireSuited(shape);
    BlockSelector selector = selectors.apply(shape, context);
    Mask mask =
        selector.mask() instanceof Mask.All
            ? shape.mask()
            : new Mask.AllOf(List.of(shape.mask(), selector.mask()));
    List<ScoreModifier> modifiers = new ArrayList<>(shape.modifiers());
    modifiers.addAll(selector.modifiers());
    AttentionSpec spec =
        new AttentionSpec(
            shape.queryHeads(),
            shape.kvHeads(),
            shape.headDim(),
            shape.valueDim(),
            shape.scale(),
            new Normalizer.Softmax(),
            mask,
            modifiers,
            shape.sinks(),
            context.caches().keyFormat(),
            context.caches().valueFormat(),
            selector.weighsBlocks()
                ? AttentionSpec.SelectionKind.GATHERED
                : AttentionSpec.SelectionKind.BLOCKS);
    RopeKernel rope =
        shape.rope() == null ? null : context.kernels().select(RopeKernel.class, shape.rope());
    return new BlockSparseLayer(
        shape,
        context.caches(),
        selector,
        spec,
        rope,
        context.kernels().select(AttentionKernel.class, spec).plan(spec),
        new HostMirror(context.kernels().device(), shape.kvHeads()));
  }

  private void requireSuited(LayerShape shape) {
    if (shape.mask() instanceof Mask.All && !directions.contains(Needs.Direction.BIDIRECTIONAL)) {
      throw new IllegalArgumentException(
          "attention '"
              + id
              + "' is causal but layer "
              + shape.layer()
              + " is bidirectional; use longformer, bigbird, lsg or nystrom");
    }
    // Query blocks are cut at multiples of the block size, which renumbers a step's rows.
    boolean byRow =
        Masks.usesBits(shape.mask())
            || shape.modifiers().stream().anyMatch(m -> m instanceof ScoreModifier.AdditiveBias);
    if (byRow) {
      throw new IllegalArgumentException(
          "attention '"
              + id
              + "' takes no mask or bias per row of a step, which layer "
              + shape.layer()
              + " has; use softmax");
    }
  }
}
