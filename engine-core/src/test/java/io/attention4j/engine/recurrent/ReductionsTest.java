package io.attention4j.engine.recurrent;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Each operator is the next simpler one in its special case. */
class ReductionsTest {
  private static final int TOKENS = 19;
  private static final Rows Q = Cases.q(TOKENS);
  private static final Rows K = Cases.k(TOKENS);
  private static final Rows V = Cases.v(TOKENS);
  private static final Rows UNIT_Q = Q.l2Normalized();
  private static final Rows UNIT_K = K.l2Normalized();
  private static final Rows BETA = Cases.beta(TOKENS);
  private static final Rows DECAY = Cases.headDecay(TOKENS);
  private static final Rows NO_DECAY = DECAY.scaled(0);

  /** The same number in every column. */
  private static Rows spread(Rows perToken, int width) {
    double[] ones = new double[perToken.tokens() * width];
    Arrays.fill(ones, 1);
    return new Rows(ones, width).times(perToken);
  }

  private static Rows constant(double value, int tokens, int width) {
    double[] values = new double[tokens * width];
    Arrays.fill(values, value);
    return new Rows(values, width);
  }

  private static void assertSame(DynamicalSystem expected, DynamicalSystem actual, String what) {
    double[] expectedState = expected.newState();
    double[] state = actual.newState();
    Cases.assertClose(Recurrence.run(expected, expectedState), Recurrence.run(actual, state), what);
    Cases.assertClose(expectedState, state, what + ", state");
  }

  @Test
  void glaWithEqualGatesIsSsd() {
    Rows dt = Cases.wave(0.4, TOKENS, 1).map(Gates::softplus);
    Rows logDecay = spread(dt.scaled(-1.5), Cases.KEY_DIM);
    assertSame(
        Mamba2.system(V, K, Q, dt, -1.5, 0),
        GatedLinearAttention.system(Q, K, V.times(dt), logDecay, 1),
        "gla -> ssd");
  }

  @Test
  void ssdWithAConstantStepIsRetNet() {
    double gamma = RetNet.gamma(2);
    Rows dt = constant(1, TOKENS, 1);
    assertSame(
        RetNet.system(Q, K, V, gamma, 1),
        Mamba2.system(V, K, Q, dt, Math.log(gamma), 0),
        "ssd -> retnet");
  }

  @Test
  void withoutDecayRetNetGlaAndSsdAreLinearAttention() {
    DynamicalSystem linear = LinearAttention.system(Q, K, V, Cases.SCALE);
    assertSame(linear, RetNet.system(Q, K, V, 1, Cases.SCALE), "retnet -> linear");
    assertSame(
        linear, GatedLinearAttention.system(Q, K, V, NO_DECAY, Cases.SCALE), "gla -> linear");
    Rows scaled = Q.scaled(Cases.SCALE);
    assertSame(linear, Mamba2.system(V, K, scaled, constant(1, TOKENS, 1), 0, 0), "ssd -> linear");
  }

  @Test
  void linearAttentionIsMaskedMatrixMultiplication() {
    Rows y = Cases.run(LinearAttention.system(Q, K, V, Cases.SCALE));
    for (int t = 0; t < TOKENS; t++) {
      double expected = 0;
      for (int m = 0; m <= t; m++) {
        for (int i = 0; i < Cases.KEY_DIM; i++) {
          expected += Cases.SCALE * Q.at(t, i) * K.at(m, i) * V.at(m, 1);
        }
      }
      assertEquals(expected, y.at(t, 1), Cases.ROUNDING);
    }
  }

  @Test
  void s6WithOneDecayAndStepIsSsd() {
    Rows dt = Cases.wave(0.4, TOKENS, 1).map(Gates::softplus);
    assertSame(
        Mamba2.system(V, K, Q, dt, -1.5, 0.7),
        SelectiveSsm.system(
            V,
            K,
            Q,
            spread(dt, Cases.VALUE_DIM),
            constant(-1.5, Cases.VALUE_DIM, Cases.KEY_DIM),
            constant(0.7, 1, Cases.VALUE_DIM)),
        "s6 -> ssd");
  }

  @Test
  void s6FollowsItsDefinition() {
    Rows dt = Cases.wave(0.4, TOKENS, Cases.VALUE_DIM).map(Gates::softplus);
    Rows a = Cases.wave(0.9, Cases.VALUE_DIM, Cases.KEY_DIM).map(x -> -Math.exp(x));
    Rows d = Cases.wave(1.1, 1, Cases.VALUE_DIM);
    Rows y = Cases.run(SelectiveSsm.system(V, K, Q, dt, a, d));
    int channel = 1;
    double[] h = new double[Cases.KEY_DIM];
    for (int t = 0; t < TOKENS; t++) {
      double step = dt.at(t, channel);
      double expected = d.at(0, channel) * V.at(t, channel);
      for (int n = 0; n < h.length; n++) {
        h[n] = Math.exp(step * a.at(channel, n)) * h[n] + step * K.at(t, n) * V.at(t, channel);
        expected += Q.at(t, n) * h[n];
      }
      assertEquals(expected, y.at(t, channel), Cases.ROUNDING);
    }
  }

  @Test
  void kdaWithEqualGatesIsGdn() {
    assertSame(
        GatedDeltaNet.system(UNIT_Q, UNIT_K, V, BETA, DECAY, Cases.SCALE),
        KimiDeltaAttention.system(
            UNIT_Q, UNIT_K, V, BETA, spread(DECAY, Cases.KEY_DIM), Cases.SCALE),
        "kda -> gdn");
  }

  @Test
  void gdnWithoutDecayIsDeltaNet() {
    assertSame(
        DeltaNet.system(UNIT_Q, UNIT_K, V, BETA, Cases.SCALE),
        GatedDeltaNet.system(UNIT_Q, UNIT_K, V, BETA, NO_DECAY, Cases.SCALE),
        "gdn -> deltanet");
  }

  @Test
  void gdn2WithOneGateIsKda() {
    Rows decay = Cases.keyDecay(TOKENS);
    assertSame(
        KimiDeltaAttention.system(UNIT_Q, UNIT_K, V, BETA, decay, Cases.SCALE),
        GatedDeltaNet2.system(
            UNIT_Q,
            UNIT_K,
            V,
            spread(BETA, Cases.KEY_DIM),
            spread(BETA, Cases.VALUE_DIM),
            decay,
            Cases.SCALE),
        "gdn2 -> kda");
  }

  /** a = 1 and kk = k with v written at full strength: the delta rule with beta 1. */
  @Test
  void rwkv7WithoutDecayIsDeltaNet() {
    Rows ones = constant(1, TOKENS, Cases.KEY_DIM);
    assertSame(
        DeltaNet.system(UNIT_Q, UNIT_K, V, BETA, 1),
        Rwkv7.system(
            UNIT_Q,
            UNIT_K.times(BETA),
            V,
            spread(NO_DECAY, Cases.KEY_DIM),
            UNIT_K,
            ones.times(BETA)),
        "rwkv7 -> deltanet");
  }

  @Test
  void deltaNetStoresOrthonormalKeysExactlyAndOverwrites() {
    double[] identity = new double[Cases.KEY_DIM * Cases.KEY_DIM];
    for (int i = 0; i < Cases.KEY_DIM; i++) {
      identity[i * Cases.KEY_DIM + i] = 1;
    }
    Rows keys = new Rows(identity, Cases.KEY_DIM);
    Rows first = Cases.v(Cases.KEY_DIM);
    DynamicalSystem system = DeltaNet.system(keys, keys, first, constant(1, Cases.KEY_DIM, 1), 1);
    double[] state = system.newState();
    Recurrence.run(system, state);
    assertArrayEquals(first.values(), state);
    Rows second = Cases.wave(0.9, Cases.KEY_DIM, Cases.VALUE_DIM);
    Recurrence.run(DeltaNet.system(keys, keys, second, constant(1, Cases.KEY_DIM, 1), 1), state);
    Cases.assertClose(second.values(), state, "overwritten");
  }

  @Test
  void theRatioRecurrenceIsNormalisedLinearAttention() {
    Rows phiQ = NormalizedLinearAttention.eluPlusOne(Q);
    Rows phiK = NormalizedLinearAttention.eluPlusOne(K);
    Rows divided =
        NormalizedLinearAttention.normalize(
            Cases.run(NormalizedLinearAttention.system(phiQ, phiK, V)), 0);
    DynamicalSystem ratio = NormalizedLinearAttention.ratioSystem(phiQ, phiK, V);
    Cases.assertClose(divided, Cases.run(ratio), "ratio");
    Cases.assertClose(divided, QuadraticForm.run(ratio), "ratio, quadratic");
    double[] weights = QuadraticForm.matrix(ratio, 0);
    for (int t = 0; t < TOKENS; t++) {
      double sum = Arrays.stream(weights, t * TOKENS, (t + 1) * TOKENS).sum();
      assertEquals(1, sum, Cases.ROUNDING, "the weights of token " + t);
    }
  }

  @Test
  void normalisedAttentionDividesEachRowByItsLearnedNormaliser() {
    Rows logNormalizer = Cases.wave(0.5, TOKENS, 1);
    Rows y = Cases.run(NormalizedAttention.system(Q, K, V, logNormalizer));
    Rows sums = Cases.run(LinearAttention.system(Q, K, V, 1));
    Cases.assertClose(sums.times(logNormalizer.map(n -> Math.exp(-n))), y, "normalised attention");
  }

  @Test
  void taylorFeaturesExpandTheExponential() {
    Rows full = TaylorFeatures.full(Q);
    Rows fullKeys = TaylorFeatures.full(K);
    Rows compact = TaylorFeatures.compact(Q);
    Rows compactKeys = TaylorFeatures.compact(K);
    assertEquals(1 + 4 + 16, full.width());
    assertEquals(1 + 4 + 10, compact.width());
    for (int t = 0; t < TOKENS; t++) {
      double z = dot(Q, K, t) / Math.sqrt(Cases.KEY_DIM);
      double expected = 1 + z + z * z / 2;
      assertEquals(expected, dot(full, fullKeys, t), Cases.ROUNDING);
      assertEquals(expected, dot(compact, compactKeys, t), Cases.ROUNDING);
      double bound = Math.pow(Math.abs(z), 3) / 6 * Math.exp(Math.abs(z));
      assertTrue(Math.abs(Math.exp(z) - expected) <= bound, "z " + z);
    }
  }

  private static double dot(Rows a, Rows b, int t) {
    double sum = 0;
    for (int i = 0; i < a.width(); i++) {
      sum += a.at(t, i) * b.at(t, i);
    }
    return sum;
  }

  @Test
  void theReversedGateIsTheDecayOfS6() {
    for (double z = -30; z <= 30; z += 0.7) {
      double expected = Math.pow(Gates.sigmoid(-z), 1.7);
      assertEquals(1, Gates.reversedSigmoid(z, 1.7) / expected, 1e-13, "z " + z);
    }
  }

  @Test
  void qlstmWithOpenGatesIsARunningSumAndWithClosedForgetGateMemoryless() {
    Rows open = constant(1000, TOKENS, Cases.VALUE_DIM);
    Rows sums = Cases.run(QuasiLstm.system(V, open, open, open));
    double sum = 0;
    for (int t = 0; t < TOKENS; t++) {
      sum += V.at(t, 2);
      assertEquals(sum, sums.at(t, 2), 0);
    }
    Rows memoryless = Cases.run(QuasiLstm.system(V, open.scaled(-1), open, open));
    assertArrayEquals(V.values(), memoryless.values());
  }

  @Test
  void qlstmFollowsItsDefinition() {
    Rows forget = Cases.wave(0.5, TOKENS, Cases.VALUE_DIM);
    Rows input = Cases.wave(0.6, TOKENS, Cases.VALUE_DIM);
    Rows output = Cases.wave(0.7, TOKENS, Cases.VALUE_DIM);
    Rows y = Cases.run(QuasiLstm.system(V, forget, input, output));
    double h = 0;
    for (int t = 0; t < TOKENS; t++) {
      h = Gates.sigmoid(forget.at(t, 1)) * h + Gates.sigmoid(input.at(t, 1)) * V.at(t, 1);
      assertEquals(Gates.sigmoid(output.at(t, 1)) * h, y.at(t, 1), Cases.ROUNDING);
    }
  }
}
