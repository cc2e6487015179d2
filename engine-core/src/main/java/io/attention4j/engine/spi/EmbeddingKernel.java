package io.attention4j.engine.spi;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;

/** Looks up rows of an embedding table; the spec is the table's type. */
public interface EmbeddingKernel extends Kernel<DType> {
  /**
   * out[r] = table[ids[r]] as F32.
   *
   * @param table [vocabulary, dim] of any format
   * @param ids token ids, the first {@code rows} entries; each in 0..vocabulary-1
   * @param out F32 [&gt;= rows, dim], contiguous
   */
  void run(Tensor table, int[] ids, int rows, Tensor out);
}
