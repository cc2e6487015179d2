package io.attention4j.sparse;

import java.util.Arrays;

/**
 * The best few of a growing list of scored tokens; of equal scores the earlier token is better. A
 * binary heap with the worst kept token at its root. Not thread-safe.
 */
final class TopTokens {
  private final int most;
  private int[] tokens = new int[8];
  private double[] scores = new double[8];
  private int size;

  /** Keeps at most so many tokens. */
  TopTokens(int most) {
    this.most = most;
  }

  /** How many it keeps. */
  int most() {
    return most;
  }

  boolean contains(int token) {
    for (int i = 0; i < size; i++) {
      if (tokens[i] == token) {
        return true;
      }
    }
    return false;
  }

  void clear() {
    size = 0;
  }

  /** The score that a later token must exceed to be kept. */
  double bar() {
    return size < most
        ? Double.NEGATIVE_INFINITY
        : most == 0 ? Double.POSITIVE_INFINITY : scores[0];
  }

  /** Takes in a token later than all before. */
  void add(int token, double score) {
    if (size < most) {
      if (size == tokens.length) {
        int capacity = (int) Math.min(most, 2L * size);
        tokens = Arrays.copyOf(tokens, capacity);
        scores = Arrays.copyOf(scores, capacity);
      }
      size++;
      rise(size - 1, token, score);
    } else if (score > scores[0]) { // an equal score does not displace an earlier token
      sink(token, score);
    }
  }

  private void rise(int at, int token, double score) {
    int child = at;
    while (child > 0) {
      int parent = (child - 1) / 2;
      if (!isWorse(score, token, scores[parent], tokens[parent])) {
        break;
      }
      set(child, tokens[parent], scores[parent]);
      child = parent;
    }
    set(child, token, score);
  }

  private void sink(int token, double score) {
    int parent = 0;
    for (int child = 1; child < size; child = 2 * parent + 1) {
      if (child + 1 < size
          && isWorse(scores[child + 1], tokens[child + 1], scores[child], tokens[child])) {
        child++;
      }
      if (!isWorse(scores[child], tokens[child], score, token)) {
        break;
      }
      set(parent, tokens[child], scores[child]);
      parent = child;
    }
    set(parent, token, score);
  }

  private void set(int at, int token, double score) {
    tokens[at] = token;
    scores[at] = score;
  }

  private static boolean isWorse(double score, int token, double otherScore, int otherToken) {
    return score < otherScore || score == otherScore && token > otherToken;
  }

  /** The kept tokens, ascending; a new array. */
  int[] sorted() {
    int[] kept = Arrays.copyOf(tokens, size);
    Arrays.sort(kept);
    return kept;
  }
}
