package io.attention4j.engine.attention;

import io.attention4j.engine.tensor.Tensor;

/**
 * Room for the largest score that each row gives to the keys of each block: with the row's lse,
 * exp( maximum - lse) is the largest weight in the block. What gates of block-sparse attention
 * predict (SeerAttention, Gao et al. 2024, arXiv 2410.13276, section 3.2).
 *
 * @param scores F32 [&gt;= totalRows, queryHeads, blocks], contiguous: natural units, after
 *     modifiers and biases, -inf where the row sees no key of the block; blocks beyond the keys of
 *     a sequence get -inf
 * @param keyBlock key slots per block, counted over the pages of a (sequence, KV head)
 */
public record BlockMaxima(Tensor scores, int keyBlock) {
  /** Checks the range of keyBlock. */
  public BlockMaxima {
    if (keyBlock < 1) {
      throw new IllegalArgumentException("keyBlock " + keyBlock + " must be at least 1");
    }
  }

  /** Blocks that there is room for. */
  public int blocks() {
    return Math.toIntExact(scores.extent(2));
  }
}
