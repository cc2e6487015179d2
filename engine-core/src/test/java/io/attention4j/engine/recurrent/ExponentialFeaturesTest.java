package io.attention4j.engine.recurrent;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** Softmax attention as the limit of finite states. */
class ExponentialFeaturesTest {
  /** Rounding of an inner product of thousands of features. */
  private static final double SUMMED = 1e-12;

  private static final int TOKENS = 9;
  private static final Rows Q = Cases.q(TOKENS);
  private static final Rows K = Cases.k(TOKENS);
  private static final Rows V = Cases.v(TOKENS);

  private static double dot(Rows a, int t, Rows b, int m) {
    double sum = 0;
    for (int i = 0; i < a.width(); i++) {
      sum += a.at(t, i) * b.at(m, i);
    }
    return sum;
  }

  @Test
  void aScoreIsOffByTheTaylorRemainderAtMost() {
    for (int order = 0; order <= 6; order++) {
      Rows q = ExponentialFeatures.of(Q, order);
      Rows k = ExponentialFeatures.of(K, order);
      for (int t = 0; t < TOKENS; t++) {
        double z = dot(Q, t, K, TOKENS - 1 - t) / Math.sqrt(Cases.KEY_DIM);
        double series = 0;
        double term = 1;
        for (int p = 1; p <= order + 1; p++) {
          series += term;
          term *= z / p;
        }
        double score = dot(q, t, k, TOKENS - 1 - t);
        assertEquals(series, score, SUMMED, "order " + order);
        double bound = Math.abs(term) * Math.exp(Math.abs(z)) + SUMMED;
        assertTrue(Math.abs(Math.exp(z) - score) <= bound, "order " + order + ", z " + z);
      }
    }
  }

  @Test
  void orderTwoIsTheMapOfBased() {
    assertArrayEquals(
        TaylorFeatures.full(Q).values(), ExponentialFeatures.of(Q, 2).values(), 1e-15);
    assertEquals(1 + 4 + 16 + 64, ExponentialFeatures.features(4, 3));
  }

  /** Even orders, whose weights are positive. */
  @Test
  void theRatioRecurrenceComesCloserToSoftmaxWithEveryOrder() {
    double before = Double.POSITIVE_INFINITY;
    for (int order = 0; order <= 8; order += 2) {
      Rows y =
          Cases.run(
              NormalizedLinearAttention.ratioSystem(
                  ExponentialFeatures.of(Q, order), ExponentialFeatures.of(K, order), V));
      double worst = 0;
      for (int t = 0; t < TOKENS; t++) {
        double sum = 0;
        double expected = 0;
        for (int m = 0; m <= t; m++) {
          double weight = Math.exp(dot(Q, t, K, m) / Math.sqrt(Cases.KEY_DIM));
          sum += weight;
          expected += weight * V.at(m, 0);
        }
        worst = Math.max(worst, Math.abs(expected / sum - y.at(t, 0)));
      }
      assertTrue(worst < before / 2, "order " + order + " is off by " + worst);
      before = worst;
    }
    assertTrue(before < 1e-5, "order 8 is off by " + before);
  }

  @Test
  void refusals() {
    assertThrows(IllegalArgumentException.class, () -> ExponentialFeatures.features(4, -1));
    String message =
        assertThrows(IllegalArgumentException.class, () -> ExponentialFeatures.features(128, 4))
            .getMessage();
    assertTrue(message.contains("use a lower order"), message);
  }
}
