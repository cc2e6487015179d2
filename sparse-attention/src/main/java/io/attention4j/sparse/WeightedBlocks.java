package io.attention4j.sparse;

import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.attention.Selection;

/**
 * Chosen blocks whose scores get a bias each, as lists of keys: a block mask has no room for it.
 */
final class WeightedBlocks implements ChosenBlocks {
  private final BlockSelector selector;
  private final int queryHeads;
  private final int kvHeads;
  private final KeyGroups groups = new KeyGroups();
  private int sequence;

  WeightedBlocks(BlockSelector selector, int queryHeads, int kvHeads) {
    this.selector = selector;
    this.queryHeads = queryHeads;
    this.kvHeads = kvHeads;
  }

  @Override
  public void reset() {
    groups.reset();
  }

  @Override
  public void sequence(int ofSequence) {
    sequence = ofSequence;
  }

  @Override
  public void add(QueryBlock query, int block, boolean isFull) {
    int size = selector.keyBlock();
    float bias = selector.blockBias(query, block);
    int end = (int) Math.min(query.keys(), (block + 1L) * size);
    for (int key = block * size; key < end; key++) {
      groups.key(key, bias);
    }
  }

  @Override
  public void endRow(QueryBlock query) {
    int heads =
        switch (selector.headAxis()) {
          case QUERY_HEAD -> 1;
          case KV_HEAD -> queryHeads / kvHeads;
          case ONE -> queryHeads;
        };
    int first = selector.headAxis() == BlockMask.HeadAxis.ONE ? 0 : query.head() * heads;
    for (int row = 0; row < query.rows(); row++) {
      groups.row(query.rowInSequence() + row);
    }
    groups.endShared(sequence, first, heads);
  }

  @Override
  public Selection selection() {
    return new Selection.Gathered(groups.selection());
  }
}
