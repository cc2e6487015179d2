package io.attention4j.sparse;

import io.attention4j.engine.attention.PagedKv;
import java.util.Arrays;

/**
 * Who is in the clusters of one sequence and layer: similarities of every key, and of every query
 * where queries form sets of their own, and the most similar ones so far. Not thread-safe.
 */
final class ClusterMembers {
  private final CentroidProducts products;
  private final RoutingAttention.Norm norm;
  private final int groupSize;
  private final int firstHead;
  private final int clusters;
  private final int dim;
  private final TopTokens[][] topKeys; // [routing head][cluster]
  private final TopTokens[][] topQueries; // null where the keys' sets are the queries'
  private final float[][] keyScores; // [routing head][token * clusters]
  private final float[][] queryScores;
  private final float[] key;
  private final double[] x;
  private int scored; // keys with similarities
  private int entered; // tokens that the sets have seen

  /** Sets of at most so many tokens; {@code firstHead} is the first query head that routes. */
  ClusterMembers(
      CentroidProducts products,
      RoutingAttention.Options options,
      int firstHead,
      int queryHeads,
      int kvHeads,
      int dim,
      int tokens,
      boolean ownQueries) {
    this.products = products;
    this.norm = options.norm();
    this.groupSize = queryHeads / kvHeads;
    this.firstHead = firstHead;
    this.clusters = options.clusters();
    this.dim = dim;
    int heads = queryHeads - firstHead;
    topKeys = tops(heads, tokens);
    keyScores = new float[heads][0];
    topQueries = ownQueries ? tops(heads, tokens) : null;
    queryScores = ownQueries ? new float[heads][0] : null;
    key = new float[dim];
    x = new double[dim];
  }

  private ClusterMembers(ClusterMembers other) {
    products = other.products;
    norm = other.norm;
    groupSize = other.groupSize;
    firstHead = other.firstHead;
    clusters = other.clusters;
    dim = other.dim;
    int tokens = other.topKeys[0][0].most();
    topKeys = tops(other.topKeys.length, tokens);
    topQueries = other.topQueries == null ? null : tops(other.topKeys.length, tokens);
    keyScores = copies(other.keyScores);
    queryScores = other.queryScores == null ? null : copies(other.queryScores);
    key = new float[dim];
    x = new double[dim];
    scored = other.scored;
    enter(other.entered);
  }

  private TopTokens[][] tops(int heads, int tokens) {
    TopTokens[][] tops = new TopTokens[heads][clusters];
    for (TopTokens[] ofHead : tops) {
      Arrays.setAll(ofHead, c -> new TopTokens(tokens));
    }
    return tops;
  }

  private static float[][] copies(float[][] scores) {
    return Arrays.stream(scores).map(float[]::clone).toArray(float[][]::new);
  }

  /** Computes the similarities of keys up to a length, which the pages hold. */
  void scoreKeys(PagedKv pages, int sequence, int length) {
    if (scored >= length) {
      return;
    }
    reserve(keyScores, length);
    for (int h = 0; h < keyScores.length; h++) {
      KeyCursor cursor = new KeyCursor(pages, sequence, (firstHead + h) / groupSize);
      for (int first = scored; first < length; first += CentroidProducts.ROWS) {
        int count = Math.min(CentroidProducts.ROWS, length - first);
        for (int i = 0; i < count; i++) {
          cursor.key(first + i, key);
          for (int d = 0; d < dim; d++) {
            x[d] = key[d];
          }
          if (norm == RoutingAttention.Norm.UNIT) {
            norm.apply(x, 0, dim);
          }
          products.set(i, x);
        }
        products.run(h, count, keyScores[h], first * clusters);
      }
    }
    scored = length;
  }

  /** A token's normalised query of a head. */
  @FunctionalInterface
  interface Queries {
    double[] of(int token);
  }

  /** Notes the similarities of the queries of tokens [from, to) of a head. */
  void scoreQueries(int head, int from, int to, Queries queries) {
    if (queryScores == null) {
      return;
    }
    reserve(queryScores, to);
    for (int first = from; first < to; first += CentroidProducts.ROWS) {
      int count = Math.min(CentroidProducts.ROWS, to - first);
      for (int i = 0; i < count; i++) {
        products.set(i, queries.of(first + i));
      }
      products.run(head, count, queryScores[head], first * clusters);
    }
  }

  private void reserve(float[][] scores, int tokens) {
    int needed = Math.multiplyExact(tokens, clusters);
    for (int h = 0; h < scores.length; h++) {
      if (scores[h].length < needed) {
        int twice = (int) Math.min(Integer.MAX_VALUE - 8, 2L * scores[h].length);
        scores[h] = Arrays.copyOf(scores[h], Math.max(needed, twice));
      }
    }
  }

  /** Lets tokens up to a length into the sets; their similarities are there. */
  void enter(int length) {
    for (int h = 0; h < topKeys.length; h++) {
      enter(topKeys[h], keyScores[h], length);
      if (topQueries != null) {
        enter(topQueries[h], queryScores[h], length);
      }
    }
    entered = Math.max(entered, length);
  }

  /** Most tokens enter no set of a long sequence, so the bars of the sets are at hand. */
  private void enter(TopTokens[] tops, float[] scores, int length) {
    double[] bars = new double[clusters];
    Arrays.setAll(bars, c -> tops[c].bar());
    for (int token = entered; token < length; token++) {
      int at = token * clusters;
      for (int c = 0; c < clusters; c++) {
        if (!(scores[at + c] <= bars[c])) {
          tops[c].add(token, scores[at + c]);
          bars[c] = tops[c].bar();
        }
      }
    }
  }

  /** Keys of a cluster among the tokens so far, ascending. */
  int[] keys(int head, int cluster) {
    return topKeys[head][cluster].sorted();
  }

  /** Queries of a cluster among the tokens so far, ascending. */
  int[] queries(int head, int cluster) {
    return (topQueries == null ? topKeys : topQueries)[head][cluster].sorted();
  }

  /** Whether a token is in a cluster as a query. */
  boolean hasQuery(int head, int cluster, int token) {
    return (topQueries == null ? topKeys : topQueries)[head][cluster].contains(token);
  }

  /** Forgets tokens from a length on. */
  void truncateTo(int length) {
    scored = Math.min(scored, length);
    if (length >= entered) {
      return;
    }
    for (int h = 0; h < topKeys.length; h++) {
      for (int c = 0; c < clusters; c++) {
        topKeys[h][c].clear();
        if (topQueries != null) {
          topQueries[h][c].clear();
        }
      }
    }
    entered = 0;
    enter(length);
  }

  ClusterMembers copy() {
    return new ClusterMembers(this);
  }

  /**
   * Similarities of queries, [routing head][token * clusters], or null; those of tokens entered.
   */
  float[][] queryScores() {
    return queryScores;
  }

  /** Similarities per token and head. */
  int clusters() {
    return clusters;
  }

  /** Replaces all: similarities of the queries so far; those of keys come from the pages. */
  void restore(float[][] scores, int length, PagedKv pages) {
    truncateTo(0);
    if (queryScores != null) {
      System.arraycopy(scores, 0, queryScores, 0, scores.length);
    }
    scoreKeys(pages, 0, length);
    enter(length);
  }

  long bytes() {
    long bytes = (long) Float.BYTES * keyScores.length * keyScores[0].length;
    return queryScores == null
        ? bytes
        : bytes + (long) Float.BYTES * queryScores.length * queryScores[0].length;
  }
}
