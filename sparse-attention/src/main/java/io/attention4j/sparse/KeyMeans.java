package io.attention4j.sparse;

/**
 * The mean key of every complete key block of one sequence and layer, per KV head, of the keys as
 * the cache stores them (rotated, rounded).
 */
public sealed interface KeyMeans permits BlockMeans {
  /** Complete blocks. */
  int blocks();

  /** Dot product of a query with the mean key of a complete block. */
  double dot(int kvHead, int block, double[] query);
}
