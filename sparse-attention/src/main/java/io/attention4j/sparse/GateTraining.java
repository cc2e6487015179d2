package io.attention4j.sparse;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Distils a SeerAttention gate of one layer from what dense attention did (Gao et al. 2024, arXiv
 * 2410.13276, section 3.2): Adam on the KL divergence of the gate's distribution over key blocks
 * from the largest weights of dense attention in them, divided by their sum. The first quarter of
 * the query blocks of a sequence is left out, as the authors do. One projection of pooled keys per
 * query head is trained; queries are their means, without weights.
 */
final class GateTraining {
  private static final double BETA1 = 0.9;
  private static final double BETA2 = 0.999;
  private static final double EPS = 1e-8;

  /**
   * What a gate sees of some query blocks of a sequence, and what it should say.
   *
   * @param firstBlock number of the first query block
   * @param keys pooled keys [kvHead][block][3 * headDim] of the blocks so far
   * @param queries mean queries, rotated [queryHead][queryBlock][headDim]; null where a block is
   *     not to be learned
   * @param truth shares of the blocks so far [queryHead][queryBlock][block], of sum 1
   * @param rotation of gate keys
   */
  record Sample(
      int firstBlock,
      double[][][] keys,
      double[][][] queries,
      double[][][] truth,
      Rotation rotation) {}

  /**
   * What came of it.
   *
   * @param losses mean KL divergence of the samples to learn from, per epoch; before the first too
   * @param untrained share of the truth in the best k blocks of the gate before, on other samples
   * @param trained of the gate after
   * @param best of the truth itself
   */
  record Outcome(double[] losses, double untrained, double trained, double best) {}

  private final int block;
  private final int dim;
  private final int groupSize;
  private final double[][] weights; // [queryHead][3 * dim * dim], input-major
  private final double[][] gradient;
  private final double[][] first; // moments
  private final double[][] second;
  private int steps;

  /** A gate of random weights. */
  GateTraining(int queryHeads, int kvHeads, int dim, int block, long seed) {
    this.block = block;
    this.dim = dim;
    groupSize = queryHeads / kvHeads;
    weights = new double[queryHeads][3 * dim * dim];
    gradient = new double[queryHeads][3 * dim * dim];
    first = new double[queryHeads][3 * dim * dim];
    second = new double[queryHeads][3 * dim * dim];
    SplittableRandom random = new SplittableRandom(seed);
    for (double[] ofHead : weights) {
      Arrays.setAll(ofHead, i -> random.nextGaussian() / Math.sqrt(3.0 * dim));
    }
  }

  /** The weights, [queryHead][3 * headDim][headDim]. */
  float[] weights() {
    float[] all = new float[weights.length * 3 * dim * dim];
    for (int i = 0; i < all.length; i++) {
      all[i] = (float) weights[i / weights[0].length][i % weights[0].length];
    }
    return all;
  }

  /**
   * Learns.
   *
   * @param learned samples for weights
   * @param judged samples for the outcome's shares
   * @param k blocks that count there, besides the query block's own
   */
  Outcome run(List<Sample> learned, List<Sample> judged, int epochs, double rate, int k) {
    double untrained = recall(judged, k, false);
    List<Double> losses = new ArrayList<>();
    losses.add(loss(learned));
    for (int epoch = 0; epoch < epochs; epoch++) {
      // The rate falls to zero along half a cosine.
      double falling = rate * (1 + Math.cos(Math.PI * epoch / epochs)) / 2;
      double sum = 0;
      for (Sample sample : learned) {
        sum += step(sample, falling);
      }
      losses.add(sum / Math.max(1, learned.size()));
    }
    return new Outcome(
        losses.stream().mapToDouble(Double::doubleValue).toArray(),
        untrained,
        recall(judged, k, false),
        recall(judged, k, true));
  }

  private double loss(List<Sample> samples) {
    return samples.stream().mapToDouble(sample -> gradients(sample)).average().orElse(0);
  }

  private double step(Sample sample, double rate) {
    double loss = gradients(sample);
    steps++;
    double correct1 = 1 - Math.pow(BETA1, steps);
    double correct2 = 1 - Math.pow(BETA2, steps);
    for (int h = 0; h < weights.length; h++) {
      for (int i = 0; i < weights[h].length; i++) {
        double g = gradient[h][i];
        first[h][i] = BETA1 * first[h][i] + (1 - BETA1) * g;
        second[h][i] = BETA2 * second[h][i] + (1 - BETA2) * g * g;
        weights[h][i] -= rate * first[h][i] / correct1 / (Math.sqrt(second[h][i] / correct2) + EPS);
      }
    }
    return loss;
  }

  /** Computes the gradients of a sample; returns its mean divergence. */
  private double gradients(Sample sample) {
    double loss = 0;
    int rows = 0;
    double scale = 1 / Math.sqrt(dim);
    for (int h = 0; h < weights.length; h++) {
      Arrays.fill(gradient[h], 0);
      double[][] keys = gateKeys(sample, h);
      double[][] ofKeys = new double[keys.length][dim];
      int before = rows;
      for (int i = 0; i < sample.queries[h].length; i++) {
        double[] query = sample.queries[h][i];
        if (query == null) {
          continue;
        }
        double[] truth = sample.truth[h][i];
        double[] share = shares(query, keys, sample.firstBlock + i + 1, scale);
        rows++;
        for (int b = 0; b < share.length; b++) {
          if (truth[b] > 0) {
            loss += truth[b] * Math.log(truth[b] / Math.max(share[b], 1e-30));
          }
          double g = scale * (share[b] - truth[b]);
          for (int d = 0; d < dim; d++) {
            ofKeys[b][d] += g * query[d];
          }
        }
      }
      double[][] pooled = sample.keys[h / groupSize];
      for (int b = 0; b < keys.length && rows > before; b++) {
        sample.rotation.rotateGradient(ofKeys[b], (long) b * block);
        for (int i = 0; i < 3 * dim; i++) {
          double x = pooled[b][i] / (rows - before);
          for (int j = 0; j < dim; j++) {
            gradient[h][i * dim + j] += x * ofKeys[b][j];
          }
        }
      }
    }
    return loss / Math.max(1, rows);
  }

  private double[][] gateKeys(Sample sample, int head) {
    double[][] pooled = sample.keys[head / groupSize];
    double[][] keys = new double[pooled.length][dim];
    for (int b = 0; b < keys.length; b++) {
      for (int i = 0; i < 3 * dim; i++) {
        double x = pooled[b][i];
        for (int j = 0; j < dim; j++) {
          keys[b][j] += x * weights[head][i * dim + j];
        }
      }
      sample.rotation.rotate(keys[b], (long) b * block);
    }
    return keys;
  }

  /** The gate's distribution over the first blocks. */
  private double[] shares(double[] query, double[][] keys, int count, double scale) {
    double[] share = new double[count];
    double max = Double.NEGATIVE_INFINITY;
    for (int b = 0; b < count; b++) {
      double dot = 0;
      for (int d = 0; d < dim; d++) {
        dot += query[d] * keys[b][d];
      }
      share[b] = scale * dot;
      max = Math.max(max, share[b]);
    }
    double sum = 0;
    for (int b = 0; b < count; b++) {
      share[b] = Math.exp(share[b] - max);
      sum += share[b];
    }
    for (int b = 0; b < count; b++) {
      share[b] /= sum;
    }
    return share;
  }

  /** Mean share of the truth in a query block's own block and the best k others. */
  private double recall(List<Sample> samples, int k, boolean byTruth) {
    double sum = 0;
    int rows = 0;
    for (Sample sample : samples) {
      for (int h = 0; h < weights.length; h++) {
        double[][] keys = gateKeys(sample, h);
        for (int i = 0; i < sample.queries[h].length; i++) {
          if (sample.queries[h][i] == null) {
            continue;
          }
          double[] truth = sample.truth[h][i];
          int own = truth.length - 1;
          double[] score =
              byTruth
                  ? truth
                  : shares(sample.queries[h][i], keys, truth.length, 1 / Math.sqrt(dim));
          TopTokens best = new TopTokens(k);
          for (int b = 0; b < own && k > 0; b++) {
            best.add(b, score[b]);
          }
          sum += truth[own];
          for (int b : best.sorted()) {
            sum += truth[b];
          }
          rows++;
        }
      }
    }
    return rows == 0 ? 0 : sum / rows;
  }
}
