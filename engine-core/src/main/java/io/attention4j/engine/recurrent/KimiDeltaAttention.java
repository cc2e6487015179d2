package io.attention4j.engine.recurrent;

/**
 * KDA (Kimi Linear, 2025, arXiv 2510.26692): {@link GatedDeltaNet} with a decay per key dimension:
 * S = Diag(e^g) S, then S += k (beta (v - k^T S))^T; y = scale q^T S. In the framework Lambda = (I
 * - beta k k^T) Diag(e^g), B = beta k.
 */
public final class KimiDeltaAttention {
  private KimiDeltaAttention() {}

  /**
   * The system of one head.
   *
   * @param q [tokens, keyDim], of unit length in the published models
   * @param k [tokens, keyDim], likewise
   * @param v [tokens, valueDim]
   * @param beta write strength, [tokens, 1]
   * @param logDecay g, [tokens, keyDim], at most 0
   */
  public static DynamicalSystem system(
      Rows q, Rows k, Rows v, Rows beta, Rows logDecay, double scale) {
    Rows decay = logDecay.map(Math::exp);
    Rows strength = k.times(beta);
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
