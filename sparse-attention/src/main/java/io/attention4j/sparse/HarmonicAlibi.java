package io.attention4j.sparse;

import io.attention4j.engine.attention.ScoreModifier;
import java.util.ArrayList;
import java.util.List;

/**
 * Linear position biases whose slopes fall as a harmonic series, to stand beside a rotation: x =
 * scale * rope(q, i) . rope(k, j) - slope(h) * |i - j| with slope(h) = alpha / (h + 1) for h = 1 ..
 * queryHeads, where ALiBi's slopes are a geometric series.
 *
 * <p>The combination of both is named in Li 2024 (arXiv 2410.18441); its formula could not be read,
 * so this one is our reconstruction.
 */
public final class HarmonicAlibi {
  private HarmonicAlibi() {}

  /**
   * The score modifier.
   *
   * @param alpha at least 0; 0 leaves the rotation alone
   * @param queryHeads at least 1
   */
  public static ScoreModifier.Alibi of(double alpha, int queryHeads) {
    if (!(alpha >= 0) || Double.isInfinite(alpha)) {
      throw new IllegalArgumentException(
          "alpha " + alpha + " must be a finite number of at least 0; 0 is no bias");
    }
    List<Float> slopes = new ArrayList<>(queryHeads);
    for (int h = 1; h <= queryHeads; h++) {
      slopes.add((float) (alpha / (h + 1)));
    }
    return new ScoreModifier.Alibi(slopes);
  }
}
