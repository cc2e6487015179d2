package io.attention4j.engine.recurrent;

/**
 * The core of RWKV-7 (Peng et al. 2025, arXiv 2503.14456): S = Diag(e^g) S + (kk * a) (-kk^T S_old)
 * + k v^T, y = r^T S. The removal reads the state before its decay. In the framework Lambda =
 * Diag(e^g) - (kk * a) kk^T, B = k, C = r.
 */
public final class Rwkv7 {
  /** e^-0.5: a channel keeps at least e^-0.6065 = 0.545 per token. */
  private static final double STRONGEST_DECAY = Math.exp(-0.5);

  private Rwkv7() {}

  /**
   * The system of one head.
   *
   * @param r receptance, [tokens, headDim]
   * @param k [tokens, headDim]
   * @param v [tokens, headDim]
   * @param logDecay g, [tokens, headDim], see {@link #logDecay}
   * @param removalKey kk, [tokens, headDim], of unit length
   * @param rate a, in-context learning rate, [tokens, headDim], in 0..1
   */
  public static DynamicalSystem system(
      Rows r, Rows k, Rows v, Rows logDecay, Rows removalKey, Rows rate) {
    return new DynamicalSystem(
        k.width(),
        Coefficient.perRow(logDecay.map(Math::exp)),
        new LowRank(removalKey.scaled(-1), removalKey.times(rate)),
        Coefficient.perRow(k),
        v,
        Coefficient.perRow(r),
        null);
  }

  /** g = -e^-0.5 sigmoid(x). */
  public static double logDecay(double x) {
    return -STRONGEST_DECAY * Gates.sigmoid(x);
  }
}
