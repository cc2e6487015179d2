package io.attention4j.benchmarks.sparse;

/**
 * Queries, keys and values of one layer, [tokens][heads][headDim] each.
 *
 * @param queryHeads a multiple of kvHeads
 * @param kvHeads KV heads
 * @param headDim elements of a head
 * @param q rotated queries
 * @param k rotated keys
 * @param v values
 */
record LayerInput(int queryHeads, int kvHeads, int headDim, float[] q, float[] k, float[] v) {
  int tokens() {
    return q.length / queryHeads / headDim;
  }
}
