package io.attention4j.kvcache.policy;

import io.attention4j.engine.operator.LayerShape;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * The scores of SnapKV and SpecKV: the mean (or highest) attention weight that the newest rows put
 * on an entry, over rows and the query heads of the group, smoothed along the positions by the mean
 * (zero padding counted) or the maximum of {@code kernel} entries. The rows' own entries get an
 * infinite score.
 */
final class WindowVote {
  private final LayerShape shape;
  private final AttentionMass mass;
  private final int kernel;
  private final Reduction ofRows;
  private final Reduction ofNeighbours;

  /** Means of both kinds. */
  WindowVote(LayerShape shape, int kernel, String policy) {
    this(shape, kernel, Reduction.MEAN, Reduction.MEAN, policy);
  }

  WindowVote(
      LayerShape shape, int kernel, Reduction ofRows, Reduction ofNeighbours, String policy) {
    this.shape = shape;
    this.kernel = kernel;
    this.ofRows = ofRows;
    this.ofNeighbours = ofNeighbours;
    mass = new AttentionMass(shape, policy);
  }

  /** Scores of every entry of every head. */
  double[][] scores(KvEntries entries, QueryWindow window) {
    double[][] scores = new double[shape.kvHeads()][];
    long firstRow = window.position(0);
    for (int head = 0; head < scores.length; head++) {
      double[] votes = new double[entries.count(head)];
      mass.of(entries, head, window, (entry, weights) -> votes[entry] = ofRows(weights));
      scores[head] = pooled(entries, head, votes, firstRow);
    }
    return scores;
  }

  private double ofRows(double[] weights) {
    return ofRows == Reduction.MAX
        ? Arrays.stream(weights).max().orElse(0)
        : Arrays.stream(weights).sum() / weights.length;
  }

  private double[] pooled(KvEntries entries, int head, double[] votes, long firstRow) {
    int[] order =
        IntStream.range(0, votes.length)
            .boxed()
            .sorted(Comparator.comparingLong(entry -> entries.position(head, entry)))
            .mapToInt(Integer::intValue)
            .toArray();
    int before = 0;
    while (before < order.length && entries.position(head, order[before]) < firstRow) {
      before++;
    }
    double[] pooled = new double[votes.length];
    for (int i = 0; i < order.length; i++) {
      if (i >= before) {
        pooled[order[i]] = Double.POSITIVE_INFINITY;
        continue;
      }
      double sum = 0;
      double most = 0;
      int from = Math.max(0, i - kernel / 2);
      int to = Math.min(before - 1, i + kernel / 2);
      for (int j = from; j <= to; j++) {
        sum += votes[order[j]];
        most = Math.max(most, votes[order[j]]);
      }
      pooled[order[i]] = ofNeighbours == Reduction.MAX ? most : sum / kernel;
    }
    return pooled;
  }
}
