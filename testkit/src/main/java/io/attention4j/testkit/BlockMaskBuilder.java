package io.attention4j.testkit;

import io.attention4j.engine.attention.BlockMask;
import java.util.ArrayList;
import java.util.List;

/** Writes the CSR arrays of a {@link BlockMask} row by row. */
public final class BlockMaskBuilder {
  private final int queryBlock;
  private final int keyBlock;
  private final BlockMask.HeadAxis axis;
  private final List<Integer> rowOffset = new ArrayList<>();
  private final List<Integer> fullIndptr = new ArrayList<>();
  private final List<Integer> fullIndices = new ArrayList<>();
  private final List<Integer> partialIndptr = new ArrayList<>();
  private final List<Integer> partialIndices = new ArrayList<>();

  /** An empty mask. */
  public BlockMaskBuilder(int queryBlock, int keyBlock, BlockMask.HeadAxis axis) {
    this.queryBlock = queryBlock;
    this.keyBlock = keyBlock;
    this.axis = axis;
  }

  /** Starts a sequence; its rows follow, head by head. */
  public void sequence() {
    rowOffset.add(fullIndptr.size());
  }

  /** Starts the row of the next query block. */
  public void row() {
    fullIndptr.add(fullIndices.size());
    partialIndptr.add(partialIndices.size());
  }

  /** Adds a full key block to the row; blocks of a row ascend. */
  public void full(int block) {
    fullIndices.add(block);
  }

  /** Adds a partial key block to the row; blocks of a row ascend. */
  public void partial(int block) {
    partialIndices.add(block);
  }

  /** The mask. */
  public BlockMask build() {
    row();
    return new BlockMask(
        queryBlock,
        keyBlock,
        axis,
        ints(rowOffset),
        ints(fullIndptr),
        ints(fullIndices),
        ints(partialIndptr),
        ints(partialIndices));
  }

  private static int[] ints(List<Integer> values) {
    return values.stream().mapToInt(Integer::intValue).toArray();
  }
}
