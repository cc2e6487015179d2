package io.attention4j.engine.recurrent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class SigmoidAttentionTest {
  private static final int TOKENS = Cases.TOKENS;
  private static final Rows Q = Cases.q(TOKENS);
  private static final Rows K = Cases.k(TOKENS);
  private static final Rows V = Cases.v(TOKENS);
  private static final double BIAS = -Math.log(TOKENS);
  private static final SigmoidAttention SIGMOID = new SigmoidAttention(Cases.SCALE, BIAS);

  @Test
  void goldenValues() {
    Rows full = SIGMOID.run(Q, K, V, false);
    assertEquals(0.056285414281, Cases.sum(full), 1e-12);
    assertEquals(0.059328335958, full.at(7, 0), 1e-12);
    Rows causal = SIGMOID.run(Q, K, V, true);
    assertEquals(0.708842342226, Cases.sum(causal), 1e-12);
    assertEquals(0.059328335958, causal.at(7, 0), 1e-12);
  }

  @Test
  void shardsAddUpInAnyOrder() {
    SigmoidAttention biased = new SigmoidAttention(Cases.SCALE, BIAS, 0.3, 5);
    for (boolean causal : new boolean[] {false, true}) {
      Rows whole = biased.run(Q, K, V, causal);
      for (int split = 0; split <= TOKENS; split++) {
        Rows sum = new Rows(new double[TOKENS * Cases.VALUE_DIM], Cases.VALUE_DIM);
        Rows k = K.slice(split, TOKENS);
        biased.add(Q, 0, k, V.slice(split, TOKENS), split, causal, sum);
        biased.add(Q, 0, K.slice(0, split), V.slice(0, split), 0, causal, sum);
        Cases.assertClose(whole, sum, "split at " + split);
      }
    }
  }

  @Test
  void aDecodeStepIsItsRowOfPrefill() {
    Rows prefill = SIGMOID.run(Q, K, V, true);
    for (int t = 0; t < TOKENS; t++) {
      Rows step = SIGMOID.run(Q.slice(t, t + 1), K.slice(0, t + 1), V.slice(0, t + 1), true);
      Cases.assertClose(prefill.slice(t, t + 1), step, "token " + t);
    }
  }

  @Test
  void equalKeysOfScoreZeroShareAlmostOne() {
    Rows zero = K.scaled(0);
    Rows one = V.map(x -> 1);
    Rows mass = SIGMOID.run(Q, zero, one, false);
    Cases.assertClose(one.scaled(TOKENS / (TOKENS + 1.0)), mass, "mass");
  }

  @Test
  void theLimitOfAVeryNegativeBiasIsSoftmax() {
    double bias = -20;
    Rows sums = new SigmoidAttention(Cases.SCALE, bias).run(Q, K, V, false);
    Rows mass = new SigmoidAttention(Cases.SCALE, bias).run(Q, K, V.map(x -> 1), false);
    for (int t = 0; t < TOKENS; t++) {
      double weightSum = 0;
      double expected = 0;
      for (int j = 0; j < TOKENS; j++) {
        double score = 0;
        for (int d = 0; d < Cases.KEY_DIM; d++) {
          score += Cases.SCALE * Q.at(t, d) * K.at(j, d);
        }
        weightSum += Math.exp(score);
        expected += Math.exp(score) * V.at(j, 1);
      }
      // Weights are off by e^bias max e^score, relatively.
      assertEquals(expected / weightSum, sums.at(t, 1) / mass.at(t, 1), 1e-7);
    }
  }

  @Test
  void theTanhFormIsTheSameFunction() {
    for (double x = -30; x <= 30; x += 0.37) {
      assertEquals(0.5 * (1 + Math.tanh(x / 2)), Gates.sigmoid(x), 1e-14);
    }
  }

  @Test
  void aConstantAddedToAllScoresIsNotIgnored() {
    Rows more = new SigmoidAttention(Cases.SCALE, BIAS + 1).run(Q, K, V, true);
    double most = 0;
    for (int i = 0; i < more.values().length; i++) {
      most = Math.max(most, Math.abs(more.values()[i] - SIGMOID.run(Q, K, V, true).values()[i]));
    }
    assertTrue(most > 0.01, "largest difference " + most);
  }

  @Test
  void aWindowOfOneSeesItselfAndNothingVisibleIsZero() {
    Rows own = new SigmoidAttention(Cases.SCALE, BIAS, 0, 1).run(Q, K, V, true);
    double score = 0;
    for (int d = 0; d < Cases.KEY_DIM; d++) {
      score += Cases.SCALE * Q.at(3, d) * K.at(3, d);
    }
    assertEquals(Gates.sigmoid(score + BIAS) * V.at(3, 0), own.at(3, 0), Cases.ROUNDING);
    Rows none = new Rows(new double[Cases.VALUE_DIM], Cases.VALUE_DIM);
    SIGMOID.add(Q.slice(0, 1), 0, K, V, 5, true, none);
    assertEquals(0, Arrays.stream(none.values()).map(Math::abs).sum());
  }

  @Test
  void refusals() {
    String message =
        assertThrows(IllegalArgumentException.class, () -> new SigmoidAttention(Double.NaN, 0))
            .getMessage();
    assertTrue(message.startsWith("sigmoid attention needs a finite scale and bias"), message);
    assertThrows(IllegalArgumentException.class, () -> new SigmoidAttention(1, 0, 0, 0));
    assertThrows(IllegalArgumentException.class, () -> SIGMOID.run(Q, Cases.v(TOKENS), V, true));
  }
}
