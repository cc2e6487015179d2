package io.attention4j.kernels.cpu.matmul;

import io.attention4j.engine.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntUnaryOperator;

/**
 * The rows of all weights of a plan, cut in contiguous bands: one parallel run computes them all.
 * The cut depends on the weights alone, so no result depends on the number of threads.
 */
public final class Bands {
  private int[] weight = new int[16];
  private long[] firstRow = new long[16];
  private int[] rows = new int[16];
  private int count;

  /** Cuts every weight into bands of {@code bandRows} of its index, the last one shorter. */
  public static Bands of(List<Tensor> weights, IntUnaryOperator bandRows) {
    Bands bands = new Bands();
    for (int w = 0; w < weights.size(); w++) {
      Tensor tensor = weights.get(w);
      int size = bandRows.applyAsInt(w);
      for (long row = 0; row < tensor.extent(0); row += size) {
        bands.add(w, row, (int) Math.min(size, tensor.extent(0) - row));
      }
    }
    return bands;
  }

  private Bands() {}

  private void add(int weightIndex, long first, int bandRows) {
    if (count == weight.length) {
      weight = Arrays.copyOf(weight, 2 * count);
      firstRow = Arrays.copyOf(firstRow, 2 * count);
      rows = Arrays.copyOf(rows, 2 * count);
    }
    weight[count] = weightIndex;
    firstRow[count] = first;
    rows[count] = bandRows;
    count++;
  }

  /** Bands of all weights. */
  public int count() {
    return count;
  }

  /** The weight that a band is of. */
  public int weight(int band) {
    return weight[band];
  }

  /** First row of a band in its weight. */
  public long firstRow(int band) {
    return firstRow[band];
  }

  /** Rows of a band. */
  public int rows(int band) {
    return rows[band];
  }
}
