package io.attention4j.engine.spi;

import io.attention4j.engine.tensor.Tensor;

/** Rotates queries or keys in place. */
public interface RopeKernel extends Kernel<RopeSpec> {
  /**
   * Rotates pair i of every head of row r by the angle whose cosine and sine stand at [r, i].
   *
   * @param x F32 [&gt;= rows, heads, headDim], contiguous
   * @param cos F32 [&gt;= rows, rotaryDim / 2], contiguous; times the attention factor if there is
   *     one
   * @param sin F32 like cos
   */
  void run(RopeSpec spec, Tensor x, int rows, Tensor cos, Tensor sin);
}
