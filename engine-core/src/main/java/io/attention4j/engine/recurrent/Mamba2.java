package io.attention4j.engine.recurrent;

/**
 * Mamba-2, the state-space dual SSD (Dao and Gu 2024, arXiv 2405.21060): S = e^(dt a) S + dt b x^T,
 * y = c^T S + d x, one decay per head and token. In the framework Lambda = e^(dt a) I, B = dt b, C
 * = c; it is {@link GatedLinearAttention} with g = dt a, k = dt b, q = c and scale 1.
 */
public final class Mamba2 {
  private Mamba2() {}

  /**
   * The system of one head; the state is [stateDim, headDim].
   *
   * @param x [tokens, headDim]
   * @param b [tokens, stateDim]
   * @param c [tokens, stateDim]
   * @param dt step sizes after softplus and bias, [tokens, 1]
   * @param a negative, -e^A_log of the weights
   * @param d feed-through of the head
   */
  public static DynamicalSystem system(Rows x, Rows b, Rows c, Rows dt, double a, double d) {
    return new DynamicalSystem(
        b.width(),
        Coefficient.perRow(dt.map(step -> Math.exp(step * a))),
        null,
        Coefficient.perRow(b.times(dt)),
        x,
        Coefficient.perRow(c),
        Coefficient.constant(d));
  }
}
