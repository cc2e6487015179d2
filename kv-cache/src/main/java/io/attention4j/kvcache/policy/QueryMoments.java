package io.attention4j.kvcache.policy;

import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.spi.RopeSpec;

/**
 * Mean and covariance of unrotated queries per query head, and after {@link #close} of the same
 * queries rotated by the mean rotation of the positions ahead.
 *
 * <p>A layer is given rotated queries and the angles of its rows. The frequencies are the angles'
 * differences between neighbouring rows, and the rotation is undone by the rows' own angles.
 */
final class QueryMoments {
  private final LayerShape shape;
  private final int dim;
  private final int half;
  private final double[][] sum; // [queryHead][dim]
  private final double[][] products; // [queryHead][dim * dim]
  private final double[] frequency;
  private final double[] lastAngle;
  private final double[] lastLength;
  private long lastPosition;
  private long count;

  QueryMoments(LayerShape shape) {
    this.shape = shape;
    dim = shape.headDim();
    half = shape.rope() == null ? 0 : shape.rope().rotaryDim() / 2;
    sum = new double[shape.queryHeads()][dim];
    products = new double[shape.queryHeads()][dim * dim];
    frequency = new double[half];
    lastAngle = new double[half];
    lastLength = new double[half];
  }

  QueryMoments copy() {
    QueryMoments copy = new QueryMoments(shape);
    for (int h = 0; h < sum.length; h++) {
      System.arraycopy(sum[h], 0, copy.sum[h], 0, dim);
      System.arraycopy(products[h], 0, copy.products[h], 0, dim * dim);
    }
    System.arraycopy(frequency, 0, copy.frequency, 0, half);
    System.arraycopy(lastAngle, 0, copy.lastAngle, 0, half);
    System.arraycopy(lastLength, 0, copy.lastLength, 0, half);
    copy.lastPosition = lastPosition;
    copy.count = count;
    return copy;
  }

  long count() {
    return count;
  }

  long bytes() {
    return (long) sum.length * dim * (dim + 1) * Double.BYTES;
  }

  /** Adds the rows of a step, those of the first {@code skipped} positions not. */
  void add(ObservedRows rows, int skipped) {
    float[] query = new float[dim];
    float[] cos = new float[half];
    float[] sin = new float[half];
    for (int row = 0; row < rows.rows(); row++) {
      if (rows.angles(row, cos, sin)) {
        follow(rows.position(row), cos, sin);
      }
      if (rows.position(row) < skipped) {
        continue;
      }
      count++;
      for (int h = 0; h < sum.length; h++) {
        rows.query(row, h, query);
        unrotate(query, cos, sin);
        for (int i = 0; i < dim; i++) {
          sum[h][i] += query[i];
          for (int j = 0; j < dim; j++) {
            products[h][i * dim + j] += (double) query[i] * query[j];
          }
        }
      }
    }
  }

  private void follow(long position, float[] cos, float[] sin) {
    for (int i = 0; i < half; i++) {
      double angle = Math.atan2(sin[i], cos[i]);
      if (position == lastPosition + 1) {
        double turn = angle - lastAngle[i];
        frequency[i] = turn < -1e-6 ? turn + 2 * Math.PI : turn;
      }
      lastAngle[i] = angle;
      lastLength[i] = Math.hypot(cos[i], sin[i]);
    }
    lastPosition = position;
  }

  private int first(int pair) {
    return shape.rope().layout() == RopeSpec.Layout.INTERLEAVED ? 2 * pair : pair;
  }

  private int second(int pair) {
    return shape.rope().layout() == RopeSpec.Layout.INTERLEAVED ? 2 * pair + 1 : pair + half;
  }

  private void unrotate(float[] query, float[] cos, float[] sin) {
    for (int i = 0; i < half; i++) {
      double x = query[first(i)];
      double y = query[second(i)];
      double square = (double) cos[i] * cos[i] + (double) sin[i] * sin[i];
      query[first(i)] = (float) ((x * cos[i] + y * sin[i]) / square);
      query[second(i)] = (float) ((y * cos[i] - x * sin[i]) / square);
    }
  }

  /** Turns sums into the mean and covariance of queries at the next {@code future} positions. */
  void close(int future) {
    double[] cos = new double[half];
    double[] sin = new double[half];
    for (int i = 0; i < half; i++) {
      for (int t = 1; t <= future; t++) {
        cos[i] += lastLength[i] * Math.cos(lastAngle[i] + t * frequency[i]) / future;
        sin[i] += lastLength[i] * Math.sin(lastAngle[i] + t * frequency[i]) / future;
      }
    }
    double[] vector = new double[dim];
    for (int h = 0; h < sum.length; h++) {
      double[] mean = sum[h];
      double[] covariance = products[h];
      for (int i = 0; i < dim; i++) {
        mean[i] /= count;
      }
      for (int i = 0; i < dim; i++) {
        for (int j = 0; j < dim; j++) {
          covariance[i * dim + j] = covariance[i * dim + j] / count - mean[i] * mean[j];
        }
      }
      rotate(mean, cos, sin);
      for (int pass = 0; pass < 2; pass++) { // R (R Sigma)^T, Sigma symmetric
        for (int j = 0; j < dim; j++) {
          for (int i = 0; i < dim; i++) {
            vector[i] = covariance[i * dim + j];
          }
          rotate(vector, cos, sin);
          for (int i = 0; i < dim; i++) {
            covariance[i * dim + j] = vector[i];
          }
        }
        transpose(covariance);
      }
    }
  }

  private void transpose(double[] matrix) {
    for (int i = 0; i < dim; i++) {
      for (int j = 0; j < i; j++) {
        double swapped = matrix[i * dim + j];
        matrix[i * dim + j] = matrix[j * dim + i];
        matrix[j * dim + i] = swapped;
      }
    }
  }

  private void rotate(double[] vector, double[] cos, double[] sin) {
    for (int i = 0; i < half; i++) {
      double x = vector[first(i)];
      double y = vector[second(i)];
      vector[first(i)] = x * cos[i] - y * sin[i];
      vector[second(i)] = x * sin[i] + y * cos[i];
    }
  }

  /** Log of the expected exponentiated score of a key: scale mu'.k + scale^2 / 2 k'Sigma'k. */
  double expectedScore(int queryHead, float[] key, double scale) {
    double linear = 0;
    double quadratic = 0;
    for (int i = 0; i < dim; i++) {
      linear += sum[queryHead][i] * key[i];
      double inner = 0;
      for (int j = 0; j < dim; j++) {
        inner += products[queryHead][i * dim + j] * key[j];
      }
      quadratic += key[i] * inner;
    }
    return scale * linear + scale * scale / 2 * quadratic;
  }
}
