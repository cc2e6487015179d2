package io.attention4j.engine.recurrent;

/**
 * GLA (Yang et al. 2024, arXiv 2312.06635): S = Diag(e^g) S + k v^T, y = scale q^T S. A log-decay
 * of width 1 is "simple GLA", one decay per head and token. In the framework Lambda = Diag(e^g).
 */
public final class GatedLinearAttention {
  private GatedLinearAttention() {}

  /**
   * The system of one head.
   *
   * @param q [tokens, keyDim]
   * @param k [tokens, keyDim]
   * @param v [tokens, valueDim]
   * @param logDecay g, [tokens, keyDim | 1], at most 0; in the paper's layer logSigmoid(.) / 16
   */
  public static DynamicalSystem system(Rows q, Rows k, Rows v, Rows logDecay, double scale) {
    return new DynamicalSystem(
        k.width(),
        Coefficient.perRow(logDecay.map(Math::exp)),
        null,
        Coefficient.perRow(k),
        v,
        Coefficient.perRow(q.scaled(scale)),
        null);
  }
}
