package io.attention4j.sparse;

import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.operator.LayerShape;
import java.util.Arrays;

/**
 * Of one sequence and layer, per KV head: the score of every token, and the means of keys and
 * scores over windows of tokens. All follow from the cache. Not thread-safe.
 */
final class NosaMemory implements KeyMemory {
  private final Nosa.Options options;
  private final Weights weights;
  private final LayerShape shape;
  private final float[][] scores; // [kvHead][token]
  private final float[][] means; // [kvHead][window * headDim]
  private final float[][] scoreMeans; // [kvHead][window]
  private final BiasedPages biased;
  private final float[] values; // of all KV heads
  private final float[] value;
  private final float[] key;
  private int tokens;
  private int windows;

  /**
   * Weights of the token score.
   *
   * @param a [kvHeads]
   * @param delta per KV head [kvHeads * valueDim]
   * @param bias [kvHeads]
   */
  record Weights(float[] a, float[][] delta, float[] bias) {
    /** A softplus(delta v + bias). */
    double score(int kvHead, float[] values) {
      double x = bias[kvHead];
      for (int i = 0; i < values.length; i++) {
        x += delta[kvHead][i] * (double) values[i];
      }
      return a[kvHead] * (Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))));
    }
  }

  NosaMemory(Nosa.Options options, Weights weights, LayerShape shape) {
    this.options = options;
    this.weights = weights;
    this.shape = shape;
    int kvHeads = shape.kvHeads();
    scores = new float[kvHeads][0];
    means = new float[kvHeads][0];
    scoreMeans = new float[kvHeads][0];
    biased = new BiasedPages(kvHeads);
    values = new float[kvHeads * shape.valueDim()];
    value = new float[shape.valueDim()];
    key = new float[shape.headDim()];
  }

  /** Dot product of a query with the mean key of a window. */
  double dot(int kvHead, int window, double[] query) {
    double dot = 0;
    for (int d = 0; d < query.length; d++) {
      dot += query[d] * means[kvHead][window * query.length + d];
    }
    return dot;
  }

  /** Mean score of the tokens of a window. */
  double tokenScore(int kvHead, int window) {
    return scoreMeans[kvHead][window];
  }

  @Override
  public long unread() {
    return Math.min(tokens, (long) windows * options.stride());
  }

  @Override
  public void update(PagedKv pages, int sequence, long keys) {
    int length = Math.toIntExact(keys);
    int complete = options.windows(length);
    int dim = shape.headDim();
    KeyCursor[] cursors = new KeyCursor[scores.length];
    for (int h = 0; h < cursors.length; h++) {
      cursors[h] = new KeyCursor(pages, sequence, h);
      scores[h] = grown(scores[h], length);
      means[h] = grown(means[h], complete * dim);
      scoreMeans[h] = grown(scoreMeans[h], complete);
    }
    for (; tokens < length; tokens++) {
      for (int h = 0; h < cursors.length; h++) {
        cursors[h].value(tokens, value);
        System.arraycopy(value, 0, values, h * value.length, value.length);
      }
      for (int h = 0; h < cursors.length; h++) {
        scores[h][tokens] = (float) weights.score(h, values);
      }
    }
    for (; windows < complete; windows++) {
      for (int h = 0; h < cursors.length; h++) {
        addWindow(cursors[h], h, windows * options.stride());
      }
    }
  }

  private void addWindow(KeyCursor cursor, int kvHead, int first) {
    int dim = shape.headDim();
    double[] sum = new double[dim];
    double score = 0;
    for (int token = first; token < first + options.kernel(); token++) {
      cursor.key(token, key);
      for (int d = 0; d < dim; d++) {
        sum[d] += key[d];
      }
      score += scores[kvHead][token];
    }
    for (int d = 0; d < dim; d++) {
      means[kvHead][windows * dim + d] = (float) (sum[d] / options.kernel());
    }
    scoreMeans[kvHead][windows] = (float) (score / options.kernel());
  }

  private static float[] grown(float[] array, int length) {
    return array.length < length ? Arrays.copyOf(array, Math.max(length, 2 * array.length)) : array;
  }

  @Override
  public void bias(PagedKv pages, int sequence) {
    biased.replace(pages, sequence, scores);
  }

  @Override
  public void truncateTo(long keys) {
    tokens = (int) Math.min(tokens, keys);
    windows = Math.min(windows, options.windows(tokens));
    biased.forget();
  }

  @Override
  public NosaMemory copy() {
    NosaMemory copy = new NosaMemory(options, weights, shape);
    for (int h = 0; h < scores.length; h++) {
      copy.scores[h] = scores[h].clone();
      copy.means[h] = means[h].clone();
      copy.scoreMeans[h] = scoreMeans[h].clone();
    }
    copy.tokens = tokens;
    copy.windows = windows;
    return copy;
  }

  @Override
  public long bytes() {
    long floats = 0;
    for (int h = 0; h < scores.length; h++) {
      floats += 2L * scores[h].length + means[h].length + scoreMeans[h].length;
    }
    return Float.BYTES * floats;
  }
}
