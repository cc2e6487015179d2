package io.attention4j.engine.recurrent;

/**
 * The "normalised attention" that the Dynamical Systems Framework proposes (arXiv 2405.15731,
 * section 4.2): unscaled linear attention over a learned normaliser per token, y_t = sum_j (q_t^T
 * k_j) v_j / nu_t with nu_t = e^n_t, n_t = w^T u_t + b; scores may be negative. In the framework
 * Lambda_t = nu_{t-1} / nu_t, B = k / nu_t, C = q.
 */
public final class NormalizedAttention {
  private NormalizedAttention() {}

  /**
   * The system of one head, from the first token of a sequence: before it there is nothing to
   * rescale. A later part is a {@link DynamicalSystem#slice} of it.
   *
   * @param q [tokens, keyDim]
   * @param k [tokens, keyDim]
   * @param v [tokens, valueDim]
   * @param logNormalizer n, [tokens, 1]
   */
  public static DynamicalSystem system(Rows q, Rows k, Rows v, Rows logNormalizer) {
    double[] ratio = new double[k.tokens()];
    for (int t = 1; t < ratio.length; t++) {
      ratio[t] = Math.exp(logNormalizer.at(t - 1, 0) - logNormalizer.at(t, 0));
    }
    return new DynamicalSystem(
        k.width(),
        Coefficient.perRow(new Rows(ratio, 1)),
        null,
        Coefficient.perRow(k.times(logNormalizer.map(n -> Math.exp(-n)))),
        v,
        Coefficient.perRow(q),
        null);
  }
}
