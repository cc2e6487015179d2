package io.attention4j.sparse;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.AttentionOperator;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.Needs;
import io.attention4j.engine.operator.OperatorContext;
import java.util.Set;
import java.util.function.Function;

/** An operator made of parts over keys and over summaries of regions of keys. */
final class RegionOperator implements AttentionOperator {
  private final String id;
  private final Set<Needs.Direction> directions;
  private final Function<LayerShape, RegionMethod> methods;

  RegionOperator(
      String id, Set<Needs.Direction> directions, Function<LayerShape, RegionMethod> methods) {
    this.id = id;
    this.directions = Set.copyOf(directions);
    this.methods = methods;
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
    boolean causal = shape.mask() instanceof Mask.Causal;
    boolean full = shape.mask() instanceof Mask.All;
    boolean suits =
        (causal && directions.contains(Needs.Direction.CAUSAL)
                || full && directions.contains(Needs.Direction.BIDIRECTIONAL))
            && shape.modifiers().stream().allMatch(m -> m instanceof ScoreModifier.SoftCap);
    if (!suits) {
      throw new IllegalArgumentException(
          "attention '"
              + id
              + "' takes "
              + directions
              + " layers without a window or bias, but layer "
              + shape.layer()
              + " has "
              + shape.mask()
              + " and "
              + shape.modifiers()
              + "; use softmax there, for example 0-3=softmax,4-="
              + id);
    }
    return new RegionLayer(shape, context, methods.apply(shape));
  }
}
