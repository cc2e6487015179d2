package io.attention4j.engine.recurrent;

/**
 * The delta rule (Schlag et al. 2021, arXiv 2102.11174; Yang et al. 2024, arXiv 2406.06484): S += k
 * (beta (v - k^T S))^T, y = scale q^T S: what a key recalls is replaced by the new value. In the
 * framework Lambda = I - beta k k^T, B = beta k. With beta 1 and orthonormal keys it stores
 * exactly.
 */
public final class DeltaNet {
  private DeltaNet() {}

  /**
   * The system of one head.
   *
   * @param q [tokens, keyDim], of unit length in the published models
   * @param k [tokens, keyDim], likewise; longer keys can make the state diverge
   * @param v [tokens, valueDim]
   * @param beta write strength, [tokens, 1], in 0..1, or to 2 where negative eigenvalues are
   *     allowed
   */
  public static DynamicalSystem system(Rows q, Rows k, Rows v, Rows beta, double scale) {
    Rows strength = k.times(beta);
    return new DynamicalSystem(
        k.width(),
        Coefficient.constant(1),
        new LowRank(k.scaled(-1), strength),
        Coefficient.perRow(strength),
        v,
        Coefficient.perRow(q.scaled(scale)),
        null);
  }
}
