package io.attention4j.sparse;

/**
 * A method that attends to parts of a sequence: lists of keys, and summaries that stand for regions
 * of keys. One per layer.
 */
interface RegionMethod {
  /** Lists of summaries that a sequence keeps. */
  int stores();

  /** How many summaries of a store follow from the first {@code length} tokens. */
  long count(int store, long length);

  /** Whether summaries depend on earlier queries, which are then kept. */
  boolean keepsQueries();

  /** Brings the summaries up to date and adds the parts of the step's rows. */
  void attend(RegionStep step);
}
