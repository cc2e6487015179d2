package io.attention4j.sparse;

import java.util.Arrays;

/**
 * The blocks that the rows of one block of tokens read, per query head, by their landmarks. Reused;
 * not thread-safe.
 */
final class LandmarkChoice {
  private final LandmarkAttention.Options options;
  private final int heads;
  private int[][] chosen = {}; // [row * heads + head], ascending
  private double[][] scores = {}; // [row * heads + head][block]

  LandmarkChoice(LandmarkAttention.Options options, int queryHeads) {
    this.options = options;
    heads = queryHeads;
  }

  /** The scores of the landmarks of all earlier blocks, for a row of those at hand and a head. */
  @FunctionalInterface
  interface Scores {
    void of(int row, int queryHead, double[] ofBlock);
  }

  /** Blocks that a row of a head reads, in the order of their age. */
  int[] of(int row, int queryHead) {
    return chosen[row * heads + queryHead];
  }

  /** Chooses among the {@code earlier} blocks before the one of the rows. */
  void choose(int rows, int earlier, Scores landmarks) {
    int entries = rows * heads;
    if (chosen.length < entries) {
      chosen = new int[entries][];
      scores = new double[entries][];
    }
    if (earlier <= options.k()) {
      int[] all = new int[earlier];
      Arrays.setAll(all, b -> b);
      Arrays.fill(chosen, 0, entries, all);
      return;
    }
    for (int i = 0; i < entries; i++) {
      double[] ofRow = new double[earlier];
      landmarks.of(i / heads, i % heads, ofRow);
      if (options.retrieval() != LandmarkAttention.Retrieval.TOKEN) {
        softmax(ofRow);
      }
      scores[i] = ofRow;
    }
    switch (options.retrieval()) {
      case TOKEN -> {
        for (int i = 0; i < entries; i++) {
          chosen[i] = best(scores[i]);
        }
      }
      case HEADS -> {
        for (int row = 0; row < rows; row++) {
          share(row * heads, 1, heads);
        }
      }
      case CHUNK -> {
        for (int head = 0; head < heads; head++) {
          share(head, heads, rows);
        }
      }
    }
    Arrays.fill(scores, 0, entries, null);
  }

  private static void softmax(double[] x) {
    double max = Arrays.stream(x).max().orElseThrow();
    double sum = 0;
    for (int i = 0; i < x.length; i++) {
      x[i] = Math.exp(x[i] - max);
      sum += x[i];
    }
    for (int i = 0; i < x.length; i++) {
      x[i] /= sum;
    }
  }

  /** Entries from, from + step .. share the blocks with the largest maxima over them. */
  private void share(int from, int step, int count) {
    double[] max = scores[from].clone();
    for (int i = 1; i < count; i++) {
      double[] other = scores[from + i * step];
      for (int b = 0; b < max.length; b++) {
        max[b] = Math.max(max[b], other[b]);
      }
    }
    int[] best = best(max);
    for (int i = 0; i < count; i++) {
      chosen[from + i * step] = best;
    }
  }

  private int[] best(double[] ofBlock) {
    TopTokens top = new TopTokens(options.k());
    for (int b = 0; b < ofBlock.length && options.k() > 0; b++) {
      top.add(b, ofBlock[b]);
    }
    return top.sorted();
  }
}
