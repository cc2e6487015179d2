package io.attention4j.engine.recurrent;

/**
 * Gated DeltaNet (Yang et al. 2025, arXiv 2412.06464): the state decays by one factor per head and
 * token, S = e^g S, and then takes the delta rule's write, S += k (beta (v - k^T S))^T; y = scale
 * q^T S. In the framework Lambda = e^g (I - beta k k^T), B = beta k.
 */
public final class GatedDeltaNet {
  private GatedDeltaNet() {}

  /**
   * The system of one head.
   *
   * @param q [tokens, keyDim], of unit length in the published models
   * @param k [tokens, keyDim], likewise
   * @param v [tokens, valueDim]
   * @param beta write strength, [tokens, 1]
   * @param logDecay g, [tokens, 1], at most 0
   */
  public static DynamicalSystem system(
      Rows q, Rows k, Rows v, Rows beta, Rows logDecay, double scale) {
    if (logDecay.width() != 1) {
      throw new IllegalArgumentException(
          "logDecay is "
              + logDecay
              + " but this operator decays a head as a whole; KimiDeltaAttention decays each key"
              + " dimension");
    }
    Rows decay = logDecay.map(Math::exp);
    Rows strength = k.times(beta);
    // The write reads the decayed state, so its key sees the decay as well.
    return new DynamicalSystem(
        k.width(),
        Coefficient.perRow(decay),
        new LowRank(k.times(decay).scaled(-1), strength),
        Coefficient.perRow(strength),
        v,
        Coefficient.perRow(q.scaled(scale)),
        null);
  }
}
