package io.attention4j.engine.recurrent;

/**
 * S6, the selective state space of Mamba (Gu and Dao 2023, arXiv 2312.00752), over all channels at
 * once: S[n, j] = e^(dt_j a[j, n]) S[n, j] + dt_j b_n x_j, y_j = c^T S[., j] + d_j x_j. In the
 * framework Lambda and B differ by element; the same dt couples decay and input scaling. With one a
 * and one dt for all it is {@link Mamba2}.
 */
public final class SelectiveSsm {
  private SelectiveSsm() {}

  /**
   * The system; the state is [stateDim, channels].
   *
   * @param x [tokens, channels]
   * @param b [tokens, stateDim]
   * @param c [tokens, stateDim]
   * @param dt step sizes after softplus and bias, [tokens, channels]
   * @param a negative, -e^A_log, [channels, stateDim] as the weights store it
   * @param d feed-through, [1, channels]
   */
  public static DynamicalSystem system(Rows x, Rows b, Rows c, Rows dt, Rows a, Rows d) {
    int channels = x.width();
    int stateDim = b.width();
    if (a.tokens() != channels || a.width() != stateDim || dt.width() != channels) {
      throw new IllegalArgumentException(
          "a must be [channels, stateDim] = ["
              + channels
              + ", "
              + stateDim
              + "] and dt [tokens, channels], not "
              + a
              + " and "
              + dt);
    }
    double[] lambda = new double[x.tokens() * stateDim * channels];
    for (int i = 0; i < lambda.length; i++) {
      int t = i / (stateDim * channels);
      int j = i % channels;
      lambda[i] = Math.exp(dt.at(t, j) * a.at(j, i / channels % stateDim));
    }
    return new DynamicalSystem(
        stateDim,
        new Coefficient(x.tokens(), stateDim, channels, lambda),
        null,
        Coefficient.outer(b, dt),
        x,
        Coefficient.perRow(c),
        Coefficient.perColumn(d));
  }
}
