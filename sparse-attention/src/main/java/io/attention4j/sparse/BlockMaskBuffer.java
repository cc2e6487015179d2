package io.attention4j.sparse;

import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.attention.Selection;
import java.util.Arrays;

/** A block mask that is filled anew in each step; its arrays grow and are kept. */
final class BlockMaskBuffer implements ChosenBlocks {
  private final int queryBlock;
  private final int keyBlock;
  private final BlockMask.HeadAxis headAxis;
  private int[] rowOffset = new int[1];
  private int[] fullIndptr = new int[2];
  private int[] partialIndptr = new int[2];
  private int[] fullIndices = new int[16];
  private int[] partialIndices = new int[16];
  private int rows;
  private int full;
  private int partial;
  private Selection.Blocks selection;

  BlockMaskBuffer(BlockSelector selector) {
    queryBlock = selector.queryBlock();
    keyBlock = selector.keyBlock();
    headAxis = selector.headAxis();
  }

  @Override
  public void reset() {
    rows = 0;
    full = 0;
    partial = 0;
  }

  @Override
  public void sequence(int sequence) {
    if (sequence == rowOffset.length) {
      rowOffset = Arrays.copyOf(rowOffset, 2 * sequence);
      selection = null;
    }
    rowOffset[sequence] = rows;
  }

  @Override
  public void add(QueryBlock query, int block, boolean isFull) {
    if (isFull) {
      if (full == fullIndices.length) {
        fullIndices = Arrays.copyOf(fullIndices, 2 * full);
        selection = null;
      }
      fullIndices[full++] = block;
    } else {
      if (partial == partialIndices.length) {
        partialIndices = Arrays.copyOf(partialIndices, 2 * partial);
        selection = null;
      }
      partialIndices[partial++] = block;
    }
  }

  @Override
  public void endRow(QueryBlock query) {
    rows++;
    if (rows == fullIndptr.length) {
      fullIndptr = Arrays.copyOf(fullIndptr, 2 * rows);
      partialIndptr = Arrays.copyOf(partialIndptr, 2 * rows);
      selection = null;
    }
    fullIndptr[rows] = full;
    partialIndptr[rows] = partial;
  }

  @Override
  public Selection selection() {
    // Rows of an earlier, larger step are emptied: the constructor reads the last start.
    Arrays.fill(fullIndptr, rows + 1, fullIndptr.length, full);
    Arrays.fill(partialIndptr, rows + 1, partialIndptr.length, partial);
    if (selection == null) {
      selection =
          new Selection.Blocks(
              new BlockMask(
                  queryBlock,
                  keyBlock,
                  headAxis,
                  rowOffset,
                  fullIndptr,
                  fullIndices,
                  partialIndptr,
                  partialIndices));
    }
    return selection;
  }
}
