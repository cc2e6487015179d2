package io.attention4j.sparse;

import io.attention4j.engine.attention.Selection;

/** Collects what a {@link BlockSelector} chose in a step, for the kernels. */
interface ChosenBlocks {
  /** Forgets the last step. */
  void reset();

  /** The next query blocks are those of this sequence. */
  void sequence(int sequence);

  /** Adds a key block to the query block at hand; blocks ascend. */
  void add(QueryBlock query, int block, boolean isFull);

  /** Ends the query block at hand. */
  void endRow(QueryBlock query);

  /** What was collected; valid until the next reset. */
  Selection selection();
}
