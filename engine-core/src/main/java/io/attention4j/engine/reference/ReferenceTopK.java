package io.attention4j.engine.reference;

import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.spi.TopKKernel;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Comparator;
import java.util.stream.IntStream;

/** Sorts each row. */
final class ReferenceTopK implements TopKKernel {
  @Override
  public Support supports(Integer k) {
    return k >= 1 ? Support.YES : Support.no("k is " + k + "; it must be at least 1");
  }

  @Override
  public void run(Tensor x, int rows, int size, int k, int[] indices, float[] values) {
    TensorChecks.requireTopK(x, rows, size, k, indices, values);
    MemorySegment in = x.segment();
    for (int row = 0; row < rows; row++) {
      long first = (long) row * size;
      int at = row * k;
      // + 0f turns -0 into 0; Float.compare puts NaN above infinity.
      Comparator<Integer> highest =
          Comparator.comparing(
              i -> in.getAtIndex(Tensor.FLOAT, first + i) + 0f, Comparator.reverseOrder());
      int[] best =
          IntStream.range(0, size).boxed().sorted(highest).limit(k).mapToInt(i -> i).toArray();
      for (int i : best) {
        indices[at] = i;
        values[at++] = in.getAtIndex(Tensor.FLOAT, first + i);
      }
    }
  }
}
