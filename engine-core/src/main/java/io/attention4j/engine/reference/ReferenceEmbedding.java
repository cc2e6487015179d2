package io.attention4j.engine.reference;

import io.attention4j.engine.spi.EmbeddingKernel;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.RowCodec;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** out[r] = decoded row ids[r] of the table. */
final class ReferenceEmbedding implements EmbeddingKernel {
  @Override
  public Support supports(DType table) {
    return Support.YES;
  }

  @Override
  public void run(Tensor table, int[] ids, int rows, Tensor out) {
    TensorChecks.requireEmbedding(table, ids, rows, out);
    int dim = Math.toIntExact(table.extent(1));
    RowCodec codec = RowCodec.of(table.dtype());
    float[] row = new float[dim];
    for (int r = 0; r < rows; r++) {
      long start = table.dtype().bytes(ids[r] * table.stride(0));
      codec.decode(table.segment(), start, row, 0, dim);
      long target = (long) r * dim * Float.BYTES;
      MemorySegment.copy(row, 0, out.segment(), Tensor.FLOAT, target, dim);
    }
  }
}
