package io.attention4j.llm.sampling;

/**
 * The tokens still in the running, as one array of sortable keys: the high half orders, the low
 * half is the token id, so equal ranks go to the lower id. A filter keeps a prefix of {@code keys}.
 * Probabilities are over the present candidates and in double.
 */
final class Candidates {
  private final long[] keys;
  private final double[] weights;
  private int count;

  Candidates(int vocabularySize) {
    keys = new long[vocabularySize];
    weights = new double[vocabularySize];
  }

  int count() {
    return count;
  }

  int token(int index) {
    return (int) keys[index];
  }

  /** Every token whose logit is not negative infinity. */
  void all(float[] logits) {
    int n = 0;
    for (int token = 0; token < logits.length; token++) {
      if (logits[token] != Float.NEGATIVE_INFINITY) {
        keys[n++] = descending(logits[token], token);
      }
    }
    count = n;
  }

  /** These tokens but those whose logit is negative infinity. */
  void of(float[] logits, int[] tokens) {
    int n = 0;
    for (int token : tokens) {
      if (logits[token] != Float.NEGATIVE_INFINITY) {
        keys[n++] = descending(logits[token], token);
      }
    }
    count = n;
  }

  /** The {@code k} highest logits, the highest first; ties go to the lower id. */
  void topK(float[] logits, int k) {
    // A heap of the k best whose root is the worst of them; on long rows nearly every token fails
    // the one comparison with that root, so the row is read once and hardly anything moves.
    int n = 0;
    int token = 0;
    for (; token < logits.length && n < k; token++) {
      if (logits[token] != Float.NEGATIVE_INFINITY) {
        keys[n++] = -1 - descending(logits[token], token);
      }
    }
    if (token < logits.length) {
      heapify(n);
      for (; token < logits.length; token++) {
        if (logits[token] != Float.NEGATIVE_INFINITY) {
          long key = -1 - descending(logits[token], token);
          if (key > keys[0]) {
            keys[0] = key;
            siftDown(0, n);
          }
        }
      }
    }
    heapify(n);
    for (int left = n; left > 1; left--) {
      pop(left); // the worst that is left goes behind all that are better
    }
    for (int i = 0; i < n; i++) {
      keys[i] = -1 - keys[i];
    }
    count = n;
  }

  /** Locally typical sampling; keeps at least one token. */
  void typical(float[] logits, double mass) {
    double max = max(logits);
    double sum = sum(logits, max);
    double logSum = Math.log(sum);
    double entropy = 0;
    for (int i = 0; i < count; i++) {
      double logProb = logits[token(i)] - max - logSum;
      entropy -= Math.exp(logProb) * logProb;
    }
    for (int i = 0; i < count; i++) {
      int token = token(i);
      double surprise = logSum - (logits[token] - max);
      keys[i] = ascending((float) Math.abs(surprise - entropy), token);
    }
    heapify(count);
    int kept = 0;
    double reached = 0;
    do {
      reached += Math.exp(logits[pop(count - kept)] - max);
      kept++;
    } while (reached <= mass * sum && kept < count);
    keepPopped(kept);
    for (int i = 0; i < count; i++) {
      keys[i] = descending(logits[token(i)], token(i));
    }
  }

  /** The nucleus; keeps at least one token. */
  void topP(float[] logits, double mass) {
    double max = max(logits);
    double sum = sum(logits, max);
    heapify(count);
    int kept = 0;
    double reached = 0;
    do {
      reached += Math.exp(logits[pop(count - kept)] - max);
      kept++;
    } while (reached < mass * sum && kept < count);
    keepPopped(kept);
  }

  /** Tokens at least {@code ratio} times as probable as the best. */
  void minP(float[] logits, double ratio) {
    double least = max(logits) + Math.log(ratio);
    int n = 0;
    for (int i = 0; i < count; i++) {
      // ratio 1 keeps the best itself: its logit is max, exactly.
      if (logits[token(i)] >= least) {
        keys[n++] = keys[i];
      }
    }
    count = n;
  }

  /** Draws one candidate; {@code uniform} is in [0, 1). */
  int draw(float[] logits, double temperature, double uniform) {
    double max = max(logits);
    double sum = 0;
    for (int i = 0; i < count; i++) {
      double weight = Math.exp((logits[token(i)] - max) / temperature);
      weights[i] = weight;
      sum += weight;
    }
    double rest = uniform * sum;
    int last = 0;
    for (int i = 0; i < count; i++) {
      if (weights[i] > 0) {
        last = i;
        rest -= weights[i];
        if (rest < 0) {
          break;
        }
      }
    }
    // Rounding can leave rest at 0 after the last weight; the last possible token then stands.
    return token(last);
  }

  private double max(float[] logits) {
    float max = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < count; i++) {
      max = Math.max(max, logits[token(i)]);
    }
    return max;
  }

  private double sum(float[] logits, double max) {
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += Math.exp(logits[token(i)] - max);
    }
    return sum;
  }

  /** Key that sorts by value upwards, then by token upwards. */
  private static long ascending(float value, int token) {
    int bits = Float.floatToRawIntBits(value + 0f); // -0 becomes 0: they are one rank
    bits ^= (bits >> 31) & 0x7fffffff;
    return ((long) bits << 32) | token;
  }

  /** Key that sorts by value downwards, then by token upwards. */
  private static long descending(float value, int token) {
    return ascending(-value, token);
  }

  private void heapify(int n) {
    for (int i = n / 2 - 1; i >= 0; i--) {
      siftDown(i, n);
    }
  }

  /** Moves the least key of a heap of {@code n} to its end and returns its token. */
  private int pop(int n) {
    long least = keys[0];
    keys[0] = keys[n - 1];
    siftDown(0, n - 1);
    keys[n - 1] = least;
    return (int) least;
  }

  private void keepPopped(int kept) {
    System.arraycopy(keys, count - kept, keys, 0, kept);
    count = kept;
  }

  private void siftDown(int start, int n) {
    if (start >= n) {
      return;
    }
    long[] keys = this.keys;
    long key = keys[start];
    int i = start;
    for (int child = 2 * i + 1; child < n; child = 2 * i + 1) {
      if (child + 1 < n && keys[child + 1] < keys[child]) {
        child++;
      }
      if (key <= keys[child]) {
        break;
      }
      keys[i] = keys[child];
      i = child;
    }
    keys[i] = key;
  }
}
