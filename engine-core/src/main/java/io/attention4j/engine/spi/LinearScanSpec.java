package io.attention4j.engine.spi;

/**
 * Attention with a matrix as its state, S [keyDim, valueDim] per state head: S = e^g S, then a
 * write, then y = scale q^T S for every query head that shares the state. Covers linear attention,
 * RetNet, GLA, Mamba-2 (with k = dt B), DeltaNet, Gated DeltaNet, KDA and RWKV-7; see the package
 * {@code recurrent} for their equations.
 *
 * @param queryHeads a multiple of stateHeads; consecutive ones share a state
 * @param stateHeads heads of k, v, decay and beta, each with its own state
 * @param keyDim rows of a state
 * @param valueDim columns of a state
 * @param scale factor of q^T S
 * @param decay what decays with what
 * @param write how keys and values enter the state
 */
public record LinearScanSpec(
    int queryHeads,
    int stateHeads,
    int keyDim,
    int valueDim,
    float scale,
    Decay decay,
    Write write) {
  /** The extent of the log-decay g. */
  public enum Decay {
    /** The state never decays; no decay tensor. */
    NONE,
    /** One g per token and state head. */
    HEAD,
    /** One g per token, state head and key dimension. */
    KEY
  }

  /** How keys and values enter the state. */
  public enum Write {
    /** S += k v^T; no beta tensor. */
    ADD,
    /** S += k (beta (v - k^T S))^T on the decayed S. */
    DELTA,
    /**
     * S += k v^T + write (read^T S_old)^T, where S_old is the state before its decay; no beta
     * tensor, but read and write.
     */
    LOW_RANK
  }

  /** Checks the ranges. */
  public LinearScanSpec {
    if (stateHeads < 1 || queryHeads < 1 || queryHeads % stateHeads != 0) {
      throw new IllegalArgumentException(
          "queryHeads "
              + queryHeads
              + " must be a positive multiple of stateHeads "
              + stateHeads
              + ", which must be at least 1");
    }
    if (keyDim < 1 || valueDim < 1) {
      throw new IllegalArgumentException(
          "keyDim " + keyDim + " and valueDim " + valueDim + " must be at least 1");
    }
  }

  /** Query heads that share a state. */
  public int groupSize() {
    return queryHeads / stateHeads;
  }
}
