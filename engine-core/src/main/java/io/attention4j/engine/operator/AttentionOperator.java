package io.attention4j.engine.operator;

/**
 * What function of the past a layer computes: softmax, sigmoid, landmark, hyper, routing, gated
 * delta net and so on. An operator is its settings; {@link #open} gives it a layer of a model.
 */
public interface AttentionOperator {
  /** Name in options. */
  String id();

  /** What it needs from the model. */
  Needs needs();

  /**
   * Prepares one layer: compiles kernels, reads weights. The caller closes it after all its states.
   *
   * @throws IllegalArgumentException if the layer or its weights do not suit; says what is missing
   */
  AttentionLayer open(LayerShape shape, OperatorContext context);
}
