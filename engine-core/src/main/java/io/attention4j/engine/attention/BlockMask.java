package io.attention4j.engine.attention;

/**
 * Block-sparse selection as two CSR matrices over (sequence, head, query block) rows: the key
 * blocks that are <em>full</em> (every pair visible, the mask is not evaluated) and those that are
 * <em>partial</em> (the spec's mask decides inside). Blocks in neither are skipped.
 *
 * <p>CSR row of (s, h, b) = rowOffset[s] + h * queryBlocks(s) + b, where queryBlocks(s) is
 * ceil(rows(s) / queryBlock). Query blocks count from a sequence's first row of the batch, key
 * blocks from its slot 0. Indices within a row must be distinct and ascending; a block may not be
 * both. The arrays are not copied; the caller leaves them alone while a kernel runs.
 *
 * @param queryBlock rows per block, at least 1
 * @param keyBlock keys per block, at least 1
 * @param headAxis what h counts
 * @param rowOffset CSR row of each sequence's (head 0, block 0), length sequences
 * @param fullIndptr CSR row starts of the full blocks
 * @param fullIndices key block numbers
 * @param partialIndptr CSR row starts of the partial blocks
 * @param partialIndices key block numbers
 */
public record BlockMask(
    int queryBlock,
    int keyBlock,
    HeadAxis headAxis,
    int[] rowOffset,
    int[] fullIndptr,
    int[] fullIndices,
    int[] partialIndptr,
    int[] partialIndices) {

  /** What a block row's head index counts. */
  public enum HeadAxis {
    /** A selection per query head. */
    QUERY_HEAD,
    /** One per KV head, shared by its group. */
    KV_HEAD,
    /** One for all heads. */
    ONE
  }

  /** Checks block sizes and the lengths of the arrays. */
  public BlockMask {
    if (queryBlock < 1 || keyBlock < 1) {
      throw new IllegalArgumentException(
          "block sizes " + queryBlock + " x " + keyBlock + " must be at least 1");
    }
    if (fullIndptr.length != partialIndptr.length || fullIndptr.length == 0) {
      throw new IllegalArgumentException(
          "full ("
              + fullIndptr.length
              + ") and partial ("
              + partialIndptr.length
              + ") indptr must have the same length, at least 1");
    }
    if (fullIndptr[fullIndptr.length - 1] > fullIndices.length
        || partialIndptr[partialIndptr.length - 1] > partialIndices.length) {
      throw new IllegalArgumentException("indptr points past the end of the block indices");
    }
  }

  /** Index of a query head on the head axis. */
  public int headIndex(int queryHead, int groupSize) {
    return switch (headAxis) {
      case QUERY_HEAD -> queryHead;
      case KV_HEAD -> queryHead / groupSize;
      case ONE -> 0;
    };
  }
}
