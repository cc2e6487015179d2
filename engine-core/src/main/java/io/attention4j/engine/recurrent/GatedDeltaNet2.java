package io.attention4j.engine.recurrent;

/**
 * Gated DeltaNet-2: separate gates for what is erased and what is written. S = Diag(e^g) S, S -= k
 * ((erase * k)^T S), S += k (write * v)^T; y = scale q^T S. With both gates equal to one number it
 * is {@link KimiDeltaAttention}. In the framework Lambda = (I - k (erase * k)^T) Diag(e^g), B[i, j]
 * = k_i write_j.
 */
public final class GatedDeltaNet2 {
  private GatedDeltaNet2() {}

  /**
   * The system of one head.
   *
   * @param q [tokens, keyDim], of unit length
   * @param k [tokens, keyDim], of unit length
   * @param v [tokens, valueDim]
   * @param erase gate of the removal, [tokens, keyDim], in 0..1
   * @param write gate of the values, [tokens, valueDim], in 0..1
   * @param logDecay g, [tokens, keyDim], at most 0
   */
  public static DynamicalSystem system(
      Rows q, Rows k, Rows v, Rows erase, Rows write, Rows logDecay, double scale) {
    Rows decay = logDecay.map(Math::exp);
    return new DynamicalSystem(
        k.width(),
        Coefficient.perRow(decay),
        new LowRank(k.times(erase).times(decay).scaled(-1), k),
        Coefficient.outer(k, write),
        v,
        Coefficient.perRow(q.scaled(scale)),
        null);
  }
}
