package io.attention4j.engine.recurrent.operator;

import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.AttentionOperator;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.Needs;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.recurrent.layer.LayerWeights;
import io.attention4j.engine.runtime.KernelSelector;
import java.util.Set;

/**
 * A {@link RowLayer} in the place of attention: it reads the normalised hidden state and not the
 * model's q, k and v, has weights of its own, and the model's output projection follows.
 *
 * @param id name in options
 * @param weights where its weights come from
 * @param factory makes the layer
 */
record RowOperator(String id, OperatorWeights weights, Factory factory)
    implements AttentionOperator {
  /** Makes a layer of a width. */
  @FunctionalInterface
  interface Factory {
    RowLayer layer(LayerShape shape, LayerWeights weights, KernelSelector kernels);
  }

  @Override
  public Needs needs() {
    return new Needs(Set.of(), Set.of(), Set.of(Needs.Direction.CAUSAL));
  }

  @Override
  public AttentionLayer open(LayerShape shape, OperatorContext context) {
    SequenceOperator.requireWidth(id, shape);
    return factory.layer(shape, weights.open(shape, context), context.kernels());
  }
}
