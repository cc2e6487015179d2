package io.attention4j.engine.operator;

import java.util.Set;

/**
 * What an operator needs from the model around it.
 *
 * @param extras names of the tensors it reads from {@link LayerInputs#extra} (gates, decays ...)
 * @param weights names of the weights it reads from {@link WeightSource}, without the layer's
 *     prefix
 * @param directions how it may be used
 */
public record Needs(Set<String> extras, Set<String> weights, Set<Direction> directions) {
  /**
   * The extra that every decoder has: what its first layer was given for the same tokens, before
   * its norm, F32 [&gt;= rows, modelDim].
   */
  public static final String EMBEDDINGS = "embeddings";

  /** Which keys a token may use. */
  public enum Direction {
    /** Itself and earlier ones. */
    CAUSAL,
    /** All of the sequence. */
    BIDIRECTIONAL,
    /** Another sequence's. */
    CROSS
  }

  /** Copies the sets. */
  public Needs {
    extras = Set.copyOf(extras);
    weights = Set.copyOf(weights);
    directions = Set.copyOf(directions);
  }
}
