package io.attention4j.engine.operator;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.engine.spi.RopeSpec;
import java.util.List;

/**
 * What a model says about one attention layer.
 *
 * @param layer index, from 0
 * @param queryHeads query heads
 * @param kvHeads KV heads
 * @param headDim elements of a query and a key
 * @param valueDim elements of a value
 * @param scale factor of q . k
 * @param mask causal, or the window of a sliding layer
 * @param modifiers soft cap, ALiBi
 * @param sinks one logit per query head, or empty
 * @param rope rotation of queries and keys, or null for none
 * @param maxPositions context length in tokens
 * @param modelDim elements of a hidden state
 */
public record LayerShape(
    int layer,
    int queryHeads,
    int kvHeads,
    int headDim,
    int valueDim,
    float scale,
    Mask mask,
    List<ScoreModifier> modifiers,
    List<Float> sinks,
    RopeSpec rope,
    int maxPositions,
    int modelDim) {
  /** Copies the lists. */
  public LayerShape {
    modifiers = List.copyOf(modifiers);
    sinks = List.copyOf(sinks);
  }

  /** Of a model whose hidden states are as wide as a row's values of all query heads. */
  public LayerShape(
      int layer,
      int queryHeads,
      int kvHeads,
      int headDim,
      int valueDim,
      float scale,
      Mask mask,
      List<ScoreModifier> modifiers,
      List<Float> sinks,
      RopeSpec rope,
      int maxPositions) {
    this(
        layer,
        queryHeads,
        kvHeads,
        headDim,
        valueDim,
        scale,
        mask,
        modifiers,
        sinks,
        rope,
        maxPositions,
        queryHeads * valueDim);
  }
}
