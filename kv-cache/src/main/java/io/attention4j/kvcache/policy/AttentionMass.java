package io.attention4j.kvcache.policy;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.engine.operator.LayerShape;

/**
 * Attention weights recomputed from the kernel's log sum of exponentials: weight = exp(score -
 * lse). So the kernel keeps no weights and a policy pays for the rows it looks at.
 */
final class AttentionMass {
  private final LayerShape shape;
  private final long left;
  private final float[] key;

  /** Takes the weights of one entry. */
  @FunctionalInterface
  interface Sink {
    /** Weights [row * groupSize + query head in the group]; 0 for rows before the entry. */
    void accept(int entry, double[] weights);
  }

  /**
   * For one layer.
   *
   * @throws IllegalArgumentException if its mask or modifiers need more than positions
   */
  AttentionMass(LayerShape shape, String policy) {
    this.shape = shape;
    key = new float[shape.headDim()];
    left =
        switch (shape.mask()) {
          case Mask.Causal causal -> Long.MAX_VALUE;
          case Mask.Window window when window.right() == 0 -> window.left();
          default -> throw unsuited(policy, "mask " + shape.mask());
        };
    for (ScoreModifier modifier : shape.modifiers()) {
      if (!(modifier instanceof ScoreModifier.SoftCap || modifier instanceof ScoreModifier.Alibi)) {
        throw unsuited(policy, "modifier " + modifier);
      }
    }
  }

  private IllegalArgumentException unsuited(String policy, String what) {
    return new IllegalArgumentException(
        "KV policy '"
            + policy
            + "' recomputes attention of causal layers, but layer "
            + shape.layer()
            + " has the "
            + what
            + "; use sink-window or razor");
  }

  /** Weights of all rows of the window for every entry of a KV head. */
  void of(KvEntries entries, int kvHead, QueryWindow window, Sink sink) {
    double[] weights = new double[window.size() * group()];
    for (int entry = 0; entry < entries.count(kvHead); entry++) {
      fill(entries, kvHead, window, entry, weights);
      sink.accept(entry, weights);
    }
  }

  /** Weights of all rows of the window for one entry. */
  double[] of(KvEntries entries, int kvHead, QueryWindow window, int entry) {
    double[] weights = new double[window.size() * group()];
    fill(entries, kvHead, window, entry, weights);
    return weights;
  }

  private int group() {
    return shape.queryHeads() / shape.kvHeads();
  }

  private void fill(
      KvEntries entries, int kvHead, QueryWindow window, int entry, double[] weights) {
    int group = group();
    entries.key(kvHead, entry, key);
    long position = entries.position(kvHead, entry);
    for (int row = 0; row < window.size(); row++) {
      for (int h = 0; h < group; h++) {
        weights[row * group + h] = weight(window, row, kvHead * group + h, position);
      }
    }
  }

  private double weight(QueryWindow window, int row, int head, long keyPosition) {
    long distance = window.position(row) - keyPosition;
    if (distance < 0 || distance > left) {
      return 0;
    }
    return Math.exp(score(window.queries(row), head, distance) - window.lse(row, head));
  }

  private double score(float[] queries, int head, long distance) {
    int at = head * shape.headDim();
    double dot = 0;
    for (int d = 0; d < key.length; d++) {
      dot += queries[at + d] * key[d];
    }
    double score = shape.scale() * dot;
    for (ScoreModifier modifier : shape.modifiers()) {
      if (modifier instanceof ScoreModifier.SoftCap cap) {
        score = cap.cap() * Math.tanh(score / cap.cap());
      } else if (modifier instanceof ScoreModifier.Alibi alibi) {
        score -= alibi.slopes().get(head) * (double) distance;
      }
    }
    return score;
  }
}
