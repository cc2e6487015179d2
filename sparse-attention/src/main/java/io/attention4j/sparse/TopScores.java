package io.attention4j.sparse;

import java.util.Arrays;

/**
 * The best few of a growing list of scored tokens; of equal scores the earlier token is better.
 * Candidates gather in a buffer of twice their number and are sorted when it is full, so that a
 * token costs little where thousands are kept. A score that is no number is the worst. Not
 * thread-safe.
 */
final class TopScores {
  private final int most;
  private long[] keys = {}; // of candidates, see key
  private int size;
  private boolean sorted; // descending in the sense of the last `most`: keys ascend
  private boolean isFull; // some were dropped, all of them no better than bar
  private float bar = Float.NaN;

  /** Keeps at most so many tokens. */
  TopScores(int most) {
    this.most = most;
  }

  /** How many it keeps. */
  int most() {
    return most;
  }

  /** Ascends with the score, then descends with the token. */
  private static long key(int token, float score) {
    int bits = Float.floatToRawIntBits(score + 0f); // -0 is 0
    int ordered = Float.isNaN(score) ? Integer.MIN_VALUE : bits ^ (bits >> 31) & Integer.MAX_VALUE;
    return ((long) ordered << 32) | (~token & 0xffffffffL);
  }

  private static int token(long key) {
    return ~(int) key;
  }

  private static float score(long key) {
    int ordered = (int) (key >> 32);
    return Float.intBitsToFloat(ordered ^ (ordered >> 31) & Integer.MAX_VALUE);
  }

  /** A later token whose score is at or below it is not kept; NaN as long as any may be. */
  float bar() {
    return bar;
  }

  /** Takes in a token later than all before. */
  void add(int token, float score) {
    if (most == 0 || score <= bar) {
      return;
    }
    if (size == keys.length) {
      if (size == 2L * most) {
        settle();
      } else {
        keys = Arrays.copyOf(keys, (int) Math.min(2L * most, Math.max(16, 2L * size)));
      }
    }
    keys[size++] = key(token, score);
    sorted = false;
  }

  /** Sorts the candidates and drops those that are too many. */
  private void settle() {
    if (!sorted) {
      Arrays.sort(keys, 0, size);
      sorted = true;
    }
    if (size > most) {
      System.arraycopy(keys, size - most, keys, 0, most);
      size = most;
      isFull = true;
    }
    if (isFull && size == most) {
      bar = score(keys[0]);
    }
  }

  boolean contains(int token) {
    settle();
    for (int i = 0; i < size; i++) {
      if (token(keys[i]) == token) {
        return true;
      }
    }
    return false;
  }

  /** The kept tokens from one on, ascending; a new array. */
  int[] from(int first) {
    settle();
    int[] tokens = new int[size];
    int count = 0;
    for (int i = 0; i < size; i++) {
      int token = token(keys[i]);
      if (token >= first) {
        tokens[count++] = token;
      }
    }
    Arrays.sort(tokens, 0, count);
    return count == size ? tokens : Arrays.copyOf(tokens, count);
  }

  void clear() {
    size = 0;
    isFull = false;
    bar = Float.NaN;
  }

  /**
   * Forgets tokens from one on.
   *
   * @return whether the rest is what it would be without them; if not, the list is to be filled
   *     anew
   */
  boolean truncateTo(int length) {
    int kept = 0;
    for (int i = 0; i < size; i++) {
      if (token(keys[i]) < length) {
        keys[kept++] = keys[i];
      }
    }
    size = kept;
    return !isFull || size >= most;
  }

  TopScores copy() {
    TopScores copy = new TopScores(most);
    copy.keys = Arrays.copyOf(keys, size);
    copy.size = size;
    copy.sorted = sorted;
    copy.isFull = isFull;
    copy.bar = bar;
    return copy;
  }

  long bytes() {
    return (long) Long.BYTES * keys.length;
  }
}
