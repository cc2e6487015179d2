package io.attention4j.engine.spi;

import io.attention4j.engine.tensor.Tensor;

/**
 * Softmax attention of a query that does not change over every prefix of a sequence: the scan of
 * Aaren ("Attention as an RNN", Feng et al. 2024, arXiv 2405.13956), whose scores are a product of
 * the tokens with a fixed vector per head. Prefill and decode alike.
 */
public interface PrefixAttentionKernel extends Kernel<PrefixAttentionSpec> {
  /**
   * Runs {@code rows} tokens of a sequence on its state: out_t is the softmax-weighted mean of the
   * values of all tokens up to t, and 0 while all scores are -inf. Running a sequence in several
   * calls gives the same outputs as in one, up to rounding.
   *
   * @param scores F32 [&gt;= rows, heads], contiguous, already scaled; -inf hides a token
   * @param v F32 [&gt;= rows, heads, valueDim], contiguous
   * @param rows tokens; 0 does nothing
   * @param state F32 [heads, valueDim + 2], contiguous: per head the weighted sum w, the maximum m
   *     and the sum u, of what came before, of all tokens on return; empty where u is 0, so zeros
   *     are the start
   * @param out F32 [&gt;= rows, heads, valueDim], contiguous; overlaps no input
   * @throws IllegalArgumentException if a tensor does not fit the spec; names both
   */
  void run(PrefixAttentionSpec spec, Tensor scores, Tensor v, int rows, Tensor state, Tensor out);
}
