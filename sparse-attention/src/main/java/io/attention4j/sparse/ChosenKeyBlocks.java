package io.attention4j.sparse;

/**
 * A layer that says which key blocks its last step read: what a cache that keeps blocks elsewhere
 * must have had at hand.
 */
public interface ChosenKeyBlocks {
  /** Tokens per block. */
  int keyBlockTokens();

  /**
   * Numbers of the blocks that a row read, ascending.
   *
   * @param sequence index in the batch of the last step
   * @param head index on the head axis of the operator (KV heads for nosa and seer-decode)
   * @param row row of the sequence in that step
   */
  int[] keyBlocks(int sequence, int head, int row);
}
