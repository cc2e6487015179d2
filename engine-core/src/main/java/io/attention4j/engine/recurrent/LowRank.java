package io.attention4j.engine.recurrent;

/**
 * The rank-one part of a transition: S gains write_t (read_t^T S_{t-1}). With it Lambda is diagonal
 * plus low rank, as in the delta family and RWKV-7.
 *
 * @param read [tokens, stateDim], applied to the state before this token's decay
 * @param write [tokens, stateDim]
 */
public record LowRank(Rows read, Rows write) {
  LowRank slice(int from, int to) {
    return new LowRank(read.slice(from, to), write.slice(from, to));
  }
}
