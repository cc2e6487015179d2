package io.attention4j.sparse;

import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.ScoreModifier;
import java.util.BitSet;
import java.util.List;

/**
 * A method of sparse attention as a choice: which blocks of keys a block of query rows reads. The
 * dense kernel does the rest, so a selector that chooses every block is dense attention.
 *
 * <p>Query block i is positions [i * queryBlock, (i + 1) * queryBlock) of the sequence and key
 * block j is positions [j * keyBlock, (j + 1) * keyBlock), whatever part of them a step brings;
 * thus a pattern of blocks is the same in prefill, in prefill by pieces and token by token.
 */
public interface BlockSelector {
  /** Rows per query block, at least 1. */
  int queryBlock();

  /** Keys per key block, at least 1. */
  int keyBlock();

  /** Whether query heads, KV heads or all heads choose separately. */
  default BlockMask.HeadAxis headAxis() {
    return BlockMask.HeadAxis.ONE;
  }

  /** The rule inside chosen blocks, which holds besides the layer's own mask. */
  default Mask mask() {
    return new Mask.All();
  }

  /** Changes of scores, applied after the layer's own. */
  default List<ScoreModifier> modifiers() {
    return List.of();
  }

  /** Whether {@link #blockBias} says something; asks for kernels that gather keys. */
  default boolean weighsBlocks() {
    return false;
  }

  /** Added to the scores of a query block with a chosen key block. */
  default float blockBias(QueryBlock query, int keyBlock) {
    return 0;
  }

  /** Whether {@link QueryBlock#keyMeans} is wanted. */
  default boolean readsKeyMeans() {
    return false;
  }

  /**
   * Chooses the key blocks of a query block. Blocks past {@link QueryBlock#keyBlocks} and blocks in
   * which the masks hide every pair are ignored, so a selector need not cut its choice at the
   * diagonal.
   *
   * @param chosen empty; the numbers of the chosen key blocks are set in it
   */
  void select(QueryBlock query, BitSet chosen);
}
