package io.attention4j.sparse;

import io.attention4j.engine.attention.PagedKv;
import java.util.Arrays;

/**
 * Who is in the clusters of one sequence and layer: the most similar keys and, where queries form
 * sets of their own, queries. Keys can be read again, so only similarities of queries are kept. Not
 * thread-safe.
 */
final class ClusterMembers {
  /** Clusters whose sets a worker fills at a time. */
  private static final int PIECE = 16;

  private final CentroidProducts products;
  private final int groupSize;
  private final int firstHead;
  private final int clusters;
  private final int dim;
  private final TopScores[][] topKeys; // [routing head][cluster]
  private final TopScores[][] topQueries; // null where the keys' sets are the queries'
  private final float[][]
      keyScores; // [routing head], of tokens from firstScored on, while a step is chosen row by row
  private final float[][] queryScores; // [routing head][token * clusters]
  private int firstScored; // token of the first of keyScores
  private int enteredKeys;

  /** Sets of at most so many tokens; {@code firstHead} is the first query head that routes. */
  ClusterMembers(
      CentroidProducts products,
      int clusters,
      int firstHead,
      int queryHeads,
      int kvHeads,
      int dim,
      int tokens,
      boolean ownQueries) {
    this.products = products;
    this.groupSize = queryHeads / kvHeads;
    this.firstHead = firstHead;
    this.clusters = clusters;
    this.dim = dim;
    int heads = queryHeads - firstHead;
    topKeys = tops(heads, tokens);
    keyScores = new float[heads][0];
    topQueries = ownQueries ? tops(heads, tokens) : null;
    queryScores = ownQueries ? new float[heads][0] : null;
  }

  private ClusterMembers(ClusterMembers other) {
    products = other.products;
    groupSize = other.groupSize;
    firstHead = other.firstHead;
    clusters = other.clusters;
    dim = other.dim;
    topKeys = copies(other.topKeys);
    topQueries = other.topQueries == null ? null : copies(other.topQueries);
    keyScores = new float[other.keyScores.length][0];
    queryScores = other.queryScores == null ? null : copies(other.queryScores);
    enteredKeys = other.enteredKeys;
  }

  private TopScores[][] tops(int heads, int tokens) {
    TopScores[][] tops = new TopScores[heads][clusters];
    for (TopScores[] ofHead : tops) {
      Arrays.setAll(ofHead, c -> new TopScores(tokens));
    }
    return tops;
  }

  private static TopScores[][] copies(TopScores[][] tops) {
    return Arrays.stream(tops)
        .map(ofHead -> Arrays.stream(ofHead).map(TopScores::copy).toArray(TopScores[]::new))
        .toArray(TopScores[][]::new);
  }

  private static float[][] copies(float[][] scores) {
    return Arrays.stream(scores).map(float[]::clone).toArray(float[][]::new);
  }

  /** Lets keys up to a length, which the pages hold, into the sets. */
  void addKeys(PagedKv pages, int sequence, int length) {
    for (int h = 0; h < topKeys.length; h++) {
      for (int first = enteredKeys; first < length; first += CentroidProducts.ROWS) {
        int count = Math.min(CentroidProducts.ROWS, length - first);
        reserve(keyScores, h, count);
        products.run(h, first, count, keys(pages, sequence, h), keyScores[h], 0);
        enter(topKeys[h], keyScores[h], first, first, first + count);
      }
    }
    enteredKeys = Math.max(enteredKeys, length);
  }

  /** Computes the similarities of keys up to a length, for {@link #enterKeys}. */
  void scoreKeys(PagedKv pages, int sequence, int length) {
    for (int h = 0; h < topKeys.length; h++) {
      reserve(keyScores, h, Math.max(0, length - enteredKeys));
      for (int first = enteredKeys; first < length; first += CentroidProducts.ROWS) {
        int count = Math.min(CentroidProducts.ROWS, length - first);
        int at = (first - enteredKeys) * clusters;
        products.run(h, first, count, keys(pages, sequence, h), keyScores[h], at);
      }
    }
    firstScored = enteredKeys;
  }

  /** Lets keys up to a length into the sets; their similarities are there. */
  void enterKeys(int length) {
    for (int h = 0; h < topKeys.length; h++) {
      enter(topKeys[h], keyScores[h], firstScored, enteredKeys, length);
    }
    enteredKeys = Math.max(enteredKeys, length);
  }

  private CentroidProducts.Vectors keys(PagedKv pages, int sequence, int head) {
    return (first, count, to) -> {
      KeyCursor cursor = new KeyCursor(pages, sequence, (firstHead + head) / groupSize);
      float[] key = new float[dim];
      for (int i = 0; i < count; i++) {
        cursor.key(first + i, key);
        System.arraycopy(key, 0, to, i * dim, dim);
      }
    };
  }

  /** Lets the queries of tokens [from, to) of a head into the sets. */
  void addQueries(int head, int from, int to, CentroidProducts.Vectors queries) {
    if (queryScores == null) {
      return;
    }
    reserve(queryScores, head, to);
    for (int first = from; first < to; first += CentroidProducts.ROWS) {
      int count = Math.min(CentroidProducts.ROWS, to - first);
      products.run(head, first, count, queries, queryScores[head], first * clusters);
      enter(topQueries[head], queryScores[head], 0, first, first + count);
    }
  }

  private void reserve(float[][] scores, int head, int tokens) {
    int needed = Math.multiplyExact(tokens, clusters);
    if (scores[head].length < needed) {
      int twice = (int) Math.min(Integer.MAX_VALUE - 8, 2L * scores[head].length);
      scores[head] = Arrays.copyOf(scores[head], Math.max(needed, twice));
    }
  }

  /**
   * Most tokens enter no set of a long sequence, so the bars of the sets are at hand.
   *
   * @param base token of the first scores
   */
  private void enter(TopScores[] tops, float[] scores, int base, int from, int to) {
    products
        .workers()
        .run(
            Math.ceilDiv(clusters, PIECE),
            (piece, _) -> {
              int first = piece * PIECE;
              float[] bars = new float[Math.min(PIECE, clusters - first)];
              for (int c = 0; c < bars.length; c++) {
                bars[c] = tops[first + c].bar();
              }
              for (int token = from; token < to; token++) {
                int at = (token - base) * clusters + first;
                for (int c = 0; c < bars.length; c++) {
                  if (!(scores[at + c] <= bars[c])) {
                    tops[first + c].add(token, scores[at + c]);
                    bars[c] = tops[first + c].bar();
                  }
                }
              }
            });
  }

  /** Keys of a cluster among the tokens so far, ascending. */
  int[] keys(int head, int cluster) {
    return topKeys[head][cluster].from(0);
  }

  /** Queries of a cluster from a token on, ascending. */
  int[] queries(int head, int cluster, int first) {
    return (topQueries == null ? topKeys : topQueries)[head][cluster].from(first);
  }

  /** Whether a token is in a cluster as a query. */
  boolean hasQuery(int head, int cluster, int token) {
    return (topQueries == null ? topKeys : topQueries)[head][cluster].contains(token);
  }

  /** Forgets tokens from a length on. */
  void truncateTo(int length) {
    if (length < enteredKeys && !truncate(topKeys, length)) {
      Arrays.stream(topKeys).flatMap(Arrays::stream).forEach(TopScores::clear);
      enteredKeys = 0; // the next step reads them again
    }
    enteredKeys = Math.min(enteredKeys, length);
    if (topQueries == null) {
      return;
    }
    for (int h = 0; h < topQueries.length; h++) {
      if (!truncate(new TopScores[][] {topQueries[h]}, length)) {
        Arrays.stream(topQueries[h]).forEach(TopScores::clear);
        enter(topQueries[h], queryScores[h], 0, 0, length);
      }
    }
  }

  /** Whether all sets are what they would be without the forgotten tokens. */
  private static boolean truncate(TopScores[][] tops, int length) {
    boolean whole = true;
    for (TopScores[] ofHead : tops) {
      for (TopScores top : ofHead) {
        whole &= top.truncateTo(length);
      }
    }
    return whole;
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
      for (int h = 0; h < topQueries.length; h++) {
        enter(topQueries[h], queryScores[h], 0, 0, length);
      }
    }
    addKeys(pages, 0, length);
  }

  long bytes() {
    long bytes = 0;
    for (TopScores[] ofHead : topKeys) {
      bytes += Arrays.stream(ofHead).mapToLong(TopScores::bytes).sum();
    }
    for (int h = 0; topQueries != null && h < topQueries.length; h++) {
      bytes += Arrays.stream(topQueries[h]).mapToLong(TopScores::bytes).sum();
      bytes += (long) Float.BYTES * queryScores[h].length;
    }
    return bytes;
  }
}
