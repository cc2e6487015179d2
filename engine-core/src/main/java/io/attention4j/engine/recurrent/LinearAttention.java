package io.attention4j.engine.recurrent;

/**
 * Linear attention without a normaliser (Katharopoulos et al. 2020, arXiv 2006.16236): S += k v^T,
 * y = scale q^T S. In the framework Lambda = I, B = k, C = scale q.
 */
public final class LinearAttention {
  private LinearAttention() {}

  /**
   * The system of one head; queries and keys are what a feature map made of them.
   *
   * @param q [tokens, keyDim]
   * @param k [tokens, keyDim]
   * @param v [tokens, valueDim]
   */
  public static DynamicalSystem system(Rows q, Rows k, Rows v, double scale) {
    return new DynamicalSystem(
        k.width(),
        Coefficient.constant(1),
        null,
        Coefficient.perRow(k),
        v,
        Coefficient.perRow(q.scaled(scale)),
        null);
  }
}
