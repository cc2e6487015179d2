package io.attention4j.engine.attention;

import io.attention4j.engine.tensor.Tensor;

/**
 * What one layer writes: the result and, for softmax, the state that lets partial results merge.
 *
 * @param out F32 [&gt;= totalRows, queryHeads, valueDim], innermost stride 1; must not overlap q or
 *     pages
 * @param lse F32 [&gt;= totalRows, queryHeads], contiguous, natural log of the sum of exponentiated
 *     scores, -inf for an empty row; null if not wanted (and for normalisers whose partial results
 *     add up)
 * @param maxima largest scores by block, for softmax over all keys; null if not wanted. Not every
 *     provider gives them
 */
public record AttentionOutputs(Tensor out, Tensor lse, BlockMaxima maxima) {
  /** Without largest scores. */
  public AttentionOutputs(Tensor out, Tensor lse) {
    this(out, lse, null);
  }
}
