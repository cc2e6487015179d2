package io.attention4j.sparse;

import io.attention4j.engine.operator.OptionSpec;
import java.util.BitSet;

/** Which key blocks a gate's scores choose. */
sealed interface BlockChoice {
  /**
   * Chooses among blocks by their scores.
   *
   * @param scores logits of blocks 0 .. count - 1; overwritten
   * @param blocks key blocks of the sequence so far, at least count
   * @param chosen blocks are added to it
   */
  void choose(double[] scores, int count, int blocks, BitSet chosen);

  /** Blocks whose share by softmax is above a bound; below 0 all. */
  record Threshold(double share) implements BlockChoice {
    @Override
    public void choose(double[] scores, int count, int blocks, BitSet chosen) {
      double max = Double.NEGATIVE_INFINITY;
      for (int b = 0; b < count; b++) {
        max = Math.max(max, scores[b]);
      }
      double sum = 0;
      for (int b = 0; b < count; b++) {
        scores[b] = Math.exp(scores[b] - max);
        sum += scores[b];
      }
      for (int b = 0; b < count; b++) {
        if (scores[b] / sum > share) {
          chosen.set(b);
        }
      }
    }
  }

  /**
   * The best blocks, as many in each row as give the causal triangle of blocks this density: (1 -
   * sqrt(1 - density)) of all, at least one.
   */
  record Density(double density) implements BlockChoice {
    @Override
    public void choose(double[] scores, int count, int blocks, BitSet chosen) {
      int kept = (int) Math.max(1, Math.floor((1 - Math.sqrt(1 - density)) * blocks));
      new Count(kept).choose(scores, count, blocks, chosen);
    }
  }

  /** The best blocks, so many; of equal ones the earlier. */
  record Count(int k) implements BlockChoice {
    @Override
    public void choose(double[] scores, int count, int blocks, BitSet chosen) {
      if (count <= k) {
        chosen.set(0, count);
        return;
      }
      if (k == 0) {
        return;
      }
      TopTokens best = new TopTokens(k);
      for (int b = 0; b < count; b++) {
        best.add(b, scores[b]);
      }
      for (int b : best.sorted()) {
        chosen.set(b);
      }
    }
  }

  /** The setting {@code threshold} in -1 .. 1. */
  static Threshold threshold(OptionSpec option, double defaultValue) {
    return new Threshold(option.number("threshold", defaultValue, -1, 1));
  }
}
