package io.attention4j.sparse;

import io.attention4j.engine.runtime.Parallel;
import java.util.Arrays;

/**
 * The blocks that the rows of one block of tokens read, per query head, by their landmarks. Reused;
 * not thread-safe.
 */
final class LandmarkChoice {
  /** Rows and heads that a worker takes at a time. */
  private static final int PIECE = 32;

  private final LandmarkAttention.Options options;
  private final int heads;
  private int[][] chosen = {}; // [row * heads + head], ascending

  LandmarkChoice(LandmarkAttention.Options options, int queryHeads) {
    this.options = options;
    heads = queryHeads;
  }

  /**
   * What a row of those at hand and a head choose by, for all earlier blocks: scores of landmarks,
   * or their softmax where rows or heads choose together.
   */
  @FunctionalInterface
  interface Scores {
    void of(int row, int queryHead, float[] ofBlock);
  }

  /** Blocks that a row of a head reads, in the order of their age. */
  int[] of(int row, int queryHead) {
    return chosen[row * heads + queryHead];
  }

  /**
   * Chooses among the {@code earlier} blocks before the one of the rows.
   *
   * @param workers share the rows and heads; scores are asked for on all of them
   */
  void choose(int rows, int earlier, Scores landmarks, Parallel workers) {
    int entries = rows * heads;
    if (chosen.length < entries) {
      chosen = new int[entries][];
    }
    if (earlier <= options.k()) {
      int[] all = new int[earlier];
      Arrays.setAll(all, b -> b);
      Arrays.fill(chosen, 0, entries, all);
      return;
    }
    switch (options.retrieval()) {
      case TOKEN ->
          workers.run(
              Math.ceilDiv(entries, PIECE),
              (piece, _) -> {
                TopScores top = new TopScores(options.k());
                float[] ofRow = new float[earlier];
                int end = Math.min(entries, (piece + 1) * PIECE);
                for (int i = piece * PIECE; i < end; i++) {
                  landmarks.of(i / heads, i % heads, ofRow);
                  chosen[i] = best(top, ofRow);
                }
              });
      case HEADS -> workers.run(rows, (row, _) -> share(row * heads, 1, heads, earlier, landmarks));
      case CHUNK -> workers.run(heads, (head, _) -> share(head, heads, rows, earlier, landmarks));
    }
  }

  /** The softmax of scores, in place. */
  static void softmax(float[] x) {
    float max = Float.NEGATIVE_INFINITY;
    for (float score : x) {
      max = Math.max(max, score);
    }
    double sum = 0;
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) Math.exp(x[i] - max);
      sum += x[i];
    }
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) (x[i] / sum);
    }
  }

  /** Entries from, from + step .. share the blocks with the largest maxima over them. */
  private void share(int from, int step, int count, int earlier, Scores landmarks) {
    float[] max = new float[earlier];
    float[] other = new float[earlier];
    for (int i = 0; i < count; i++) {
      int entry = from + i * step;
      landmarks.of(entry / heads, entry % heads, other);
      for (int b = 0; b < earlier; b++) {
        max[b] = Math.max(max[b], other[b]); // shares are positive
      }
    }
    int[] best = best(new TopScores(options.k()), max);
    for (int i = 0; i < count; i++) {
      chosen[from + i * step] = best;
    }
  }

  private static int[] best(TopScores top, float[] ofBlock) {
    top.clear();
    float bar = top.bar();
    for (int b = 0; b < ofBlock.length; b++) {
      if (!(ofBlock[b] <= bar)) {
        top.add(b, ofBlock[b]);
        bar = top.bar();
      }
    }
    return top.from(0);
  }
}
