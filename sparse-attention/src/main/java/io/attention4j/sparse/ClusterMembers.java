package io.attention4j.sparse;

import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.PagedKv;
import java.util.Arrays;

/**
 * Who is in the clusters of one sequence and layer: similarities of every key, and of every query
 * where queries form sets of their own, and the most similar ones so far. Not thread-safe.
 */
final class ClusterMembers {
  private final Centroids centroids;
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
      Centroids centroids,
      RoutingAttention.Options options,
      int firstHead,
      int queryHeads,
      int kvHeads,
      int dim,
      int tokens,
      boolean ownQueries) {
    this.centroids = centroids;
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
    centroids = other.centroids;
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
      int kvHead = (firstHead + h) / groupSize;
      int first = 0; // token at which the page begins
      for (int p = 0; p < pages.pageCount(sequence, kvHead) && first < length; p++) {
        KvPage page = pages.page(sequence, kvHead, p);
        for (int slot = Math.max(0, scored - first); slot < page.length(); slot++) {
          HostKeys.read(page, slot, key);
          for (int d = 0; d < dim; d++) {
            x[d] = key[d];
          }
          if (norm == RoutingAttention.Norm.UNIT) {
            norm.apply(x, 0, dim);
          }
          score(h, x, keyScores[h], first + slot);
        }
        first += page.length();
      }
    }
    scored = length;
  }

  /** Notes the similarities of a token's normalised query. */
  void scoreQuery(int head, int token, double[] query) {
    if (queryScores != null) {
      reserve(queryScores, token + 1);
      score(head, query, queryScores[head], token);
    }
  }

  private void score(int head, double[] vector, float[] scores, int token) {
    for (int c = 0; c < clusters; c++) {
      scores[token * clusters + c] = centroids.score(head, c, vector);
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
    for (; entered < length; entered++) {
      for (int h = 0; h < topKeys.length; h++) {
        for (int c = 0; c < clusters; c++) {
          int at = entered * clusters + c;
          topKeys[h][c].add(entered, keyScores[h][at]);
          if (topQueries != null) {
            topQueries[h][c].add(entered, queryScores[h][at]);
          }
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
