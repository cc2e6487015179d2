package io.attention4j.engine.attention;

import java.util.List;

/**
 * Changes a scaled score before the mask. A spec's modifiers apply in list order; the field's usual
 * order is soft cap, then position or additive bias.
 */
public sealed interface ScoreModifier {
  /** cap * tanh(x / cap). */
  record SoftCap(float cap) implements ScoreModifier {
    /** Checks that the cap is positive. */
    public SoftCap {
      if (!(cap > 0)) {
        throw new IllegalArgumentException(
            "soft cap " + cap + " must be positive; omit it for none");
      }
    }
  }

  /** x - slope[queryHead] * |queryPosition - keyPosition| (Press et al. 2022, arXiv 2108.12409). */
  record Alibi(List<Float> slopes) implements ScoreModifier {
    /** Copies the list; one slope per query head. */
    public Alibi {
      slopes = List.copyOf(slopes);
    }
  }

  /**
   * x + {@link AttentionBatch#bias}: F32 [sequences|1, queryHeads|1, rows|1, keys|1], indexed by
   * row and key slot of the sequence; an entry of -inf hides the key.
   */
  record AdditiveBias() implements ScoreModifier {}

  /** Code changes the score. Only slow kernels take it. */
  record Custom(Function function) implements ScoreModifier {}

  /** Changes one score; must be pure and thread-safe. */
  @FunctionalInterface
  interface Function {
    /** The new score of the pair. */
    double apply(double score, int sequence, int queryHead, long queryPosition, long keyPosition);
  }
}
