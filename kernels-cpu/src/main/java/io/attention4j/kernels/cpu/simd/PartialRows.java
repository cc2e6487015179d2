package io.attention4j.kernels.cpu.simd;

import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.SoftmaxState;
import java.util.Arrays;

/**
 * Results of rows over a part of their keys: maximum, sum of weights and weighted values. Parts of
 * a row are combined in key order by {@link SoftmaxState#combine(float[], float[], float[], int,
 * int, int, double)}, those of other normalisers added, so that the result depends on where keys
 * are cut and not on who computed a part.
 */
final class PartialRows {
  private final int dim;
  private final boolean softmax;
  private final RowResult results;
  private int count;
  private float[] max = new float[0];
  private float[] sum = new float[0];
  private float[] weighted = new float[0];

  PartialRows(AttentionSpec spec) {
    dim = spec.valueDim();
    softmax = spec.normalizer() instanceof Normalizer.Softmax;
    results = new RowResult(spec);
  }

  /** Forgets all rows. */
  void clear() {
    count = 0;
  }

  /** Takes consecutive rows and returns the first. */
  int take(int rows) {
    int first = count;
    count = Math.addExact(count, rows);
    return first;
  }

  /** Makes room, after all rows were taken. */
  void reserve() {
    if (max.length < count) {
      max = new float[count];
      sum = new float[count];
      weighted = new float[Math.multiplyExact(count, dim)];
    }
  }

  /** Sets maximum and sum of a row. */
  void set(int row, float ofMax, float ofSum) {
    max[row] = ofMax;
    sum[row] = ofSum;
  }

  /** Where the weighted values of all rows are, [rows, valueDim]. */
  float[] weighted() {
    return weighted;
  }

  /** Index in {@link #weighted} of a row. */
  int weightedAt(int row) {
    return row * dim;
  }

  /** Sets a row that met no key. */
  void setEmpty(int row) {
    set(row, Float.NEGATIVE_INFINITY, 0);
    Arrays.fill(weighted, row * dim, (row + 1) * dim, 0);
  }

  /**
   * Combines rows first, first + stride ... in that order and writes the result.
   *
   * @param row of out, over the batch
   */
  void merge(int first, int stride, int parts, AttentionOutputs out, long row, int head) {
    for (int part = 1; part < parts; part++) {
      add(first, first + part * stride);
    }
    boolean empty = softmax && sum[first] == 0;
    results.write(out, row, head, empty, max[first], sum[first], weighted, first * dim);
  }

  private void add(int into, int from) {
    if (softmax) {
      SoftmaxState.combine(max, sum, weighted, dim, into, from, RowResult.LN_2);
      return;
    }
    for (int d = 0; d < dim; d++) {
      weighted[into * dim + d] += weighted[from * dim + d];
    }
  }
}
