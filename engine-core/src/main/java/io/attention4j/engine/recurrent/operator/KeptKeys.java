package io.attention4j.engine.recurrent.operator;

import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Softmax attention of one row over keys that a state keeps, in F32 without positions, so that
 * their order is free. For the windows and segments of Titans, whose memory costs many times as
 * much.
 */
final class KeptKeys {
  private final int heads;
  private final int dim;
  private final float scale;
  private final float[] query;
  private final float[] row;
  private final float[] sum;
  private final float[] scores;
  private int count;

  /**
   * For rows of heads.
   *
   * @param most keys that a row sees at most
   */
  KeptKeys(int heads, int width, int most) {
    this.heads = heads;
    dim = width / heads;
    scale = (float) (1 / Math.sqrt(dim));
    query = new float[width];
    row = new float[width];
    sum = new float[width];
    scores = new float[heads * most];
  }

  private static void copy(Tensor from, int fromRow, Tensor to, int toRow, int width) {
    long bytes = 4L * width;
    MemorySegment.copy(
        OperatorWeights.host(from),
        from.byteOffset() + fromRow * bytes,
        OperatorWeights.host(to),
        to.byteOffset() + toRow * bytes,
        bytes);
  }

  /** Copies rows of the width that these keys have. */
  void keep(Tensor from, int fromRow, Tensor to, int toRow) {
    copy(from, fromRow, to, toRow, query.length);
  }

  private void load(Tensor tensor, int from, float[] target) {
    long at = tensor.byteOffset() + 4L * from * target.length;
    MemorySegment.copy(OperatorWeights.host(tensor), Tensor.FLOAT, at, target, 0, target.length);
  }

  /** Starts with a query. */
  void ask(Tensor queries, int of) {
    load(queries, of, query);
    count = 0;
  }

  /** Scores the first rows of some keys. */
  void score(Tensor keys, int rows) {
    for (int j = 0; j < rows; j++, count++) {
      load(keys, j, row);
      for (int h = 0; h < heads; h++) {
        float even = 0;
        float odd = 0;
        int d = h * dim;
        for (; d + 1 < (h + 1) * dim; d += 2) {
          even += query[d] * row[d];
          odd += query[d + 1] * row[d + 1];
        }
        if (d < (h + 1) * dim) {
          even += query[d] * row[d];
        }
        scores[count * heads + h] = scale * (even + odd);
      }
    }
  }

  /** Makes the scores weights that sum to 1 in each head. */
  void normalize() {
    Arrays.fill(sum, 0);
    for (int h = 0; h < heads; h++) {
      float max = Float.NEGATIVE_INFINITY;
      for (int j = 0; j < count; j++) {
        max = Math.max(max, scores[j * heads + h]);
      }
      double total = 0;
      for (int j = 0; j < count; j++) {
        float weight = (float) Math.exp(scores[j * heads + h] - max);
        scores[j * heads + h] = weight;
        total += weight;
      }
      for (int j = 0; j < count; j++) {
        scores[j * heads + h] /= (float) total;
      }
    }
  }

  /** Adds the first rows of some values, with the weights from {@code first} on. */
  void add(Tensor values, int rows, int first) {
    for (int j = 0; j < rows; j++) {
      load(values, j, row);
      for (int h = 0; h < heads; h++) {
        float weight = scores[(first + j) * heads + h];
        for (int d = h * dim; d < (h + 1) * dim; d++) {
          sum[d] += weight * row[d];
        }
      }
    }
  }

  /** Writes the sum of the values to a row. */
  void store(Tensor out, int to) {
    long at = out.byteOffset() + 4L * to * sum.length;
    MemorySegment.copy(sum, 0, OperatorWeights.host(out), Tensor.FLOAT, at, sum.length);
  }
}
