package io.attention4j.engine.spi;

import io.attention4j.engine.tensor.Tensor;

/** Titans and Miras over one sequence; prefill and decode alike. */
public interface OnlineMemoryKernel extends Kernel<OnlineMemorySpec> {
  /**
   * Learns {@code rows} tokens of a sequence one after the other and answers each one's query by
   * the weights after it. Running a sequence in several calls gives the same outputs as in one.
   *
   * @param firstRow row of the first token in every input and in out
   * @param rows tokens; 0 does nothing
   * @param inChunk tokens of the sequence before the first, modulo the chunk
   * @param state F32 [4, heads, parameters], contiguous: weights (each matrix [out, in], the first
   *     one first), the trace (momentum, unnormed weights or logarithms) and both at the start of
   *     the chunk, as {@code recurrent.memory.MemoryState} has them; before the first token, after
   *     the last on return
   * @param out F32 [&gt;= firstRow + rows, heads, valueDim], contiguous; overlaps no input
   * @throws IllegalArgumentException if a tensor does not fit the spec; names both
   */
  void run(
      OnlineMemorySpec spec,
      OnlineMemoryInputs in,
      int firstRow,
      int rows,
      int inChunk,
      Tensor state,
      Tensor out);

  /**
   * Asks without learning.
   *
   * @param q F32 [&gt;= firstRow + rows, heads, keyDim]
   * @param weights F32 [&gt;= 1, heads, parameters]; may be a state
   * @param out F32 [&gt;= firstRow + rows, heads, valueDim]; overlaps no input
   */
  void read(OnlineMemorySpec spec, Tensor q, int firstRow, int rows, Tensor weights, Tensor out);
}
