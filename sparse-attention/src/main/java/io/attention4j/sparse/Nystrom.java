package io.attention4j.sparse;

import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.Tensor;
import java.util.Arrays;
import java.util.List;

/**
 * Nystromformer (Xiong et al. 2021, arXiv 2102.03902), for bidirectional layers. With landmarks q~
 * and k~, the means of m equal segments of queries and keys,
 *
 * <pre>
 * out = softmax(q k~^T) pinv(softmax(q~ k~^T)) softmax(q~ k^T) v
 * </pre>
 *
 * The two outer factors are attention, which the kernels compute: of the landmark queries to all
 * keys, and of all queries to the m landmark keys, whose values are pinv(..) softmax(q~ k^T) v. The
 * pseudo-inverse of the small matrix is the paper's iteration, in float64. The depthwise
 * convolution of values, which has trained weights, is left out.
 */
final class Nystrom implements RegionMethod {
  static final String ID = "nystrom";

  private final Options options;
  private final LayerShape shape;

  /**
   * Settings.
   *
   * @param landmarks at most this many; as many as tokens, or more, is softmax, but for the
   *     iteration
   * @param iterations of the pseudo-inverse
   */
  record Options(int landmarks, int iterations) {
    static final int DEFAULT_LANDMARKS = 64;
    static final int DEFAULT_ITERATIONS = 6;
    static final int MOST_LANDMARKS = 4096;
    static final int MOST_ITERATIONS = 100;

    Options {
      Settings.require(ID, "landmarks", landmarks, 1, MOST_LANDMARKS);
      Settings.require(ID, "iterations", iterations, 1, MOST_ITERATIONS);
    }

    static Options of(OptionSpec option) {
      option.allow("landmarks", "iterations");
      return new Options(
          Settings.integer(option, "landmarks", DEFAULT_LANDMARKS, 1),
          Settings.integer(option, "iterations", DEFAULT_ITERATIONS, 1));
    }
  }

  Nystrom(Options options, LayerShape shape) {
    if (!shape.modifiers().isEmpty() || !shape.sinks().isEmpty()) {
      throw new IllegalArgumentException(
          "attention '"
              + ID
              + "' takes plain softmax layers, but layer "
              + shape.layer()
              + " has "
              + shape.modifiers()
              + " and "
              + shape.sinks().size()
              + " sinks; use longformer or lsg there");
    }
    this.options = options;
    this.shape = shape;
  }

  @Override
  public int stores() {
    return 1;
  }

  @Override
  public long count(int store, long length) {
    return 0; // all landmarks follow from the whole sequence
  }

  @Override
  public boolean keepsQueries() {
    return false;
  }

  @Override
  public void attend(RegionStep step) {
    int tokens = step.to();
    int landmarks = Math.min(options.landmarks, tokens);
    float[][] queries = meanQueries(step, landmarks);
    float[][] keys = meanKeys(step, landmarks);
    KeyGroups toAllKeys = new KeyGroups();
    for (int row = 0; row < landmarks; row++) {
      toAllKeys.row(row);
    }
    for (int key = 0; key < tokens; key++) {
      toAllKeys.key(key, 0);
    }
    step.end(toAllKeys);
    SummaryPages store = step.store(0);
    try (Device.TensorArena arena = step.kernels().kernels().device().newArena()) {
      Tensor attended =
          step.kernels()
              .values(
                  arena,
                  step.kernels().upload(arena, RegionKernels.joined(queries), shape.headDim()),
                  step.pages(),
                  0,
                  RegionKernels.Sees.ALL,
                  toAllKeys);
      float[][] values = solve(queries, keys, attended.toFloats());
      store.add(
          step.kernels().upload(arena, RegionKernels.joined(keys), shape.headDim()),
          step.kernels().upload(arena, RegionKernels.joined(values), shape.valueDim()),
          new int[landmarks]);
    }
    KeyGroups toLandmarks = new KeyGroups();
    step.rows(toLandmarks, 0, tokens);
    for (int landmark = 0; landmark < landmarks; landmark++) {
      toLandmarks.key(landmark, 0);
    }
    step.end(toLandmarks);
    step.kernels().add(List.of(store), 0, RegionKernels.Sees.ALL, toLandmarks);
  }

  /** First token of a segment. */
  private static int start(int segment, int landmarks, int tokens) {
    return (int) ((long) segment * tokens / landmarks);
  }

  /** Means of queries, [landmark][queryHeads * headDim]. */
  private float[][] meanQueries(RegionStep step, int landmarks) {
    int width = shape.queryHeads() * shape.headDim();
    float[][] means = new float[landmarks][width];
    for (int m = 0; m < landmarks; m++) {
      int from = start(m, landmarks, step.to());
      int to = start(m + 1, landmarks, step.to());
      double[] sum = new double[width];
      for (int token = from; token < to; token++) {
        for (int d = 0; d < width; d++) {
          sum[d] += step.q().segment().getAtIndex(Tensor.FLOAT, (long) token * width + d);
        }
      }
      for (int d = 0; d < width; d++) {
        means[m][d] = (float) (sum[d] / (to - from));
      }
    }
    return means;
  }

  /** Means of keys, repeated for the query heads of a group, [landmark][queryHeads * headDim]. */
  private float[][] meanKeys(RegionStep step, int landmarks) {
    int dim = shape.headDim();
    int groupSize = shape.queryHeads() / shape.kvHeads();
    float[][] means = new float[landmarks][shape.queryHeads() * dim];
    float[] key = new float[dim];
    double[] sum = new double[dim];
    for (int h = 0; h < shape.kvHeads(); h++) {
      KeyCursor cursor = new KeyCursor(step.pages(), 0, h);
      for (int m = 0; m < landmarks; m++) {
        int from = start(m, landmarks, step.to());
        int to = start(m + 1, landmarks, step.to());
        Arrays.fill(sum, 0);
        for (int token = from; token < to; token++) {
          cursor.key(token, key);
          for (int d = 0; d < dim; d++) {
            sum[d] += key[d];
          }
        }
        for (int d = 0; d < dim; d++) {
          float mean = (float) (sum[d] / (to - from));
          for (int q = h * groupSize; q < (h + 1) * groupSize; q++) {
            means[m][q * dim + d] = mean;
          }
        }
      }
    }
    return means;
  }

  /** pinv(softmax(q~ k~^T)) times the attended values, per head. */
  private float[][] solve(float[][] queries, float[][] keys, float[] attended) {
    int heads = shape.queryHeads();
    int dim = shape.headDim();
    int valueDim = shape.valueDim();
    int n = queries.length;
    float[][] values = new float[n][heads * valueDim];
    for (int h = 0; h < heads; h++) {
      double[][] inverse =
          PseudoInverse.of(softmax(queries, keys, h * dim, dim, shape.scale()), options.iterations);
      for (int i = 0; i < n; i++) {
        for (int d = 0; d < valueDim; d++) {
          double sum = 0;
          for (int j = 0; j < n; j++) {
            sum += inverse[i][j] * attended[(j * heads + h) * valueDim + d];
          }
          values[i][h * valueDim + d] = (float) sum;
        }
      }
    }
    return values;
  }

  private static double[][] softmax(
      float[][] queries, float[][] keys, int at, int dim, double scale) {
    int n = queries.length;
    double[][] weights = new double[n][n];
    for (int i = 0; i < n; i++) {
      double max = Double.NEGATIVE_INFINITY;
      for (int j = 0; j < n; j++) {
        double dot = 0;
        for (int d = at; d < at + dim; d++) {
          dot += (double) queries[i][d] * keys[j][d];
        }
        weights[i][j] = dot * scale;
        max = Math.max(max, weights[i][j]);
      }
      double sum = 0;
      for (int j = 0; j < n; j++) {
        weights[i][j] = Math.exp(weights[i][j] - max);
        sum += weights[i][j];
      }
      for (int j = 0; j < n; j++) {
        weights[i][j] /= sum;
      }
    }
    return weights;
  }
}
