package io.attention4j.sparse;

import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Centroids of the clusters of one layer, per routing head, with online k-means (Roy et al. 2020,
 * arXiv 2003.05997): a token belongs to the nearest centroid, and sums and counts of a cluster are
 * moving averages. Names and shapes of tensors are those of the authors' program: {@code means}
 * [heads, clusters, headDim], {@code ema_count} [heads, clusters] and {@code ema_means} like means.
 * Not thread-safe.
 */
final class Centroids {
  private static final String MEANS = "means";
  private static final String COUNTS = "ema_count";
  private static final String SUMS = "ema_means";

  /** Laplace smoothing of counts, as the authors' program has it. */
  private static final double SMOOTHING = 1e-5;

  /** Rounds of Lloyd's algorithm at the start, as lucidrains' program has it. */
  private static final int FIRST_ROUNDS = 10;

  private final RoutingAttention.Norm norm;
  private final int heads;
  private final int clusters;
  private final int dim;
  private final double[][] means; // [head][cluster * dim]
  private final double[][] counts; // [head][cluster]
  private final double[][] sums; // [head][cluster * dim]
  private boolean started;
  private int version;

  private Centroids(RoutingAttention.Norm norm, int heads, int clusters, int dim) {
    this.norm = norm;
    this.heads = heads;
    this.clusters = clusters;
    this.dim = dim;
    means = new double[heads][clusters * dim];
    counts = new double[heads][clusters];
    sums = new double[heads][clusters * dim];
  }

  /** Directions drawn from a seed; the first {@link #learn} replaces them. */
  static Centroids random(RoutingAttention.Norm norm, int heads, int clusters, int dim, long seed) {
    Centroids centroids = new Centroids(norm, heads, clusters, dim);
    SplittableRandom random = new SplittableRandom(seed);
    for (double[] mean : centroids.means) {
      for (int i = 0; i < mean.length; i++) {
        mean[i] = random.nextGaussian();
      }
      for (int c = 0; c < clusters; c++) {
        norm.apply(mean, c * dim, dim);
      }
    }
    return centroids;
  }

  /**
   * Centroids of a file; counts and sums start afresh where it has none.
   *
   * @throws IllegalArgumentException if means are missing or a shape differs; names both shapes
   */
  static Centroids of(
      RoutingAttention.Norm norm, int heads, int clusters, int dim, GateWeights weights) {
    Centroids centroids = new Centroids(norm, heads, clusters, dim);
    centroids.started = true;
    split(weights.floats(MEANS, heads, clusters, dim), centroids.means);
    if (weights.has(COUNTS) && weights.has(SUMS)) {
      split(weights.floats(COUNTS, heads, clusters), centroids.counts);
      split(weights.floats(SUMS, heads, clusters, dim), centroids.sums);
    } else {
      for (int h = 0; h < heads; h++) {
        Arrays.fill(centroids.counts[h], 1);
        System.arraycopy(centroids.means[h], 0, centroids.sums[h], 0, clusters * dim);
      }
    }
    return centroids;
  }

  private static void split(float[] values, double[][] parts) {
    for (int i = 0; i < values.length; i++) {
      parts[i / parts[0].length][i % parts[0].length] = values[i];
    }
  }

  /** The tensors of {@link #of}, under a prefix. */
  Map<String, Tensor> tensors(String prefix, Arena arena) {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    tensors.put(prefix + MEANS, tensor(means, arena, heads, clusters, dim));
    tensors.put(prefix + COUNTS, tensor(counts, arena, heads, clusters));
    tensors.put(prefix + SUMS, tensor(sums, arena, heads, clusters, dim));
    return tensors;
  }

  private static Tensor tensor(double[][] parts, Arena arena, long... extents) {
    float[] values = new float[parts.length * parts[0].length];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) parts[i / parts[0].length][i % parts[0].length];
    }
    return Tensor.ofFloats(arena, values, extents);
  }

  int heads() {
    return heads;
  }

  /** Changes when centroids move. */
  int version() {
    return version;
  }

  /** An element of the centroids of a head, [cluster * headDim]. */
  float mean(int head, int index) {
    return (float) means[head][index];
  }

  /** Similarity of a normalised vector with a centroid. */
  private float score(int head, int cluster, double[] x) {
    double dot = 0;
    double[] mean = means[head];
    for (int d = 0, at = cluster * dim; d < dim; d++, at++) {
      dot += x[d] * mean[at];
    }
    return (float) dot;
  }

  /** The most similar centroid; of equal ones the first. */
  int nearest(int head, double[] x) {
    int best = 0;
    float bestScore = score(head, 0, x);
    for (int c = 1; c < clusters; c++) {
      float score = score(head, c, x);
      if (score > bestScore) {
        best = c;
        bestScore = score;
      }
    }
    return best;
  }

  /**
   * One step of online k-means. The first step of centroids that came from no file starts with some
   * of the tokens as centroids and a few rounds of Lloyd's algorithm.
   *
   * @param vectors per head normalised vectors, [vector][headDim]; at least one
   * @param decay how much of the average stays
   */
  void learn(double[][][] vectors, double decay, long seed) {
    for (int h = 0; h < heads; h++) {
      if (started) {
        average(h, vectors[h], decay);
      } else {
        start(h, vectors[h], new SplittableRandom(seed + h));
      }
    }
    started = true;
    version++;
  }

  private void start(int head, double[][] vectors, SplittableRandom random) {
    for (int c = 0; c < clusters; c++) {
      double[] token = vectors[random.nextInt(vectors.length)];
      System.arraycopy(token, 0, means[head], c * dim, dim);
    }
    for (int round = 0; round < FIRST_ROUNDS; round++) {
      Totals totals = totals(head, vectors);
      for (int c = 0; c < clusters; c++) {
        if (totals.counts[c] > 0) {
          for (int d = c * dim; d < (c + 1) * dim; d++) {
            means[head][d] = totals.sums[d] / totals.counts[c];
          }
          norm.renormalize(means[head], c * dim, dim);
        }
        counts[head][c] = totals.counts[c];
      }
    }
    for (int i = 0; i < clusters * dim; i++) {
      sums[head][i] = means[head][i] * counts[head][i / dim];
    }
  }

  private void average(int head, double[][] vectors, double decay) {
    Totals totals = totals(head, vectors);
    double all = 0;
    for (int c = 0; c < clusters; c++) {
      counts[head][c] = decay * counts[head][c] + (1 - decay) * totals.counts[c];
      all += counts[head][c];
    }
    for (int c = 0; c < clusters; c++) {
      double smoothed = (counts[head][c] + SMOOTHING) / (all + clusters * SMOOTHING) * all;
      for (int d = c * dim; d < (c + 1) * dim; d++) {
        sums[head][d] = decay * sums[head][d] + (1 - decay) * totals.sums[d];
      }
      // A cluster that never had a token keeps its place.
      if (counts[head][c] > 0) {
        for (int d = c * dim; d < (c + 1) * dim; d++) {
          means[head][d] = sums[head][d] / smoothed;
        }
        norm.renormalize(means[head], c * dim, dim);
      }
    }
  }

  private record Totals(double[] counts, double[] sums) {}

  private Totals totals(int head, double[][] vectors) {
    Totals totals = new Totals(new double[clusters], new double[clusters * dim]);
    for (double[] x : vectors) {
      int c = nearest(head, x);
      totals.counts[c]++;
      for (int d = 0; d < dim; d++) {
        totals.sums[c * dim + d] += x[d];
      }
    }
    return totals;
  }
}
