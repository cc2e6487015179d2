package io.attention4j.engine.recurrent;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.LinkedHashMap;
import java.util.Map;

/** Every operator on the inputs of the specs, sin(1.3 n + seed), and comparisons. */
public final class Cases {
  public static final int TOKENS = 8;
  public static final int KEY_DIM = 4;
  public static final int VALUE_DIM = 3;
  public static final double SCALE = 0.5;

  /** Two float64 orders of summing a few dozen products of size one. */
  public static final double ROUNDING = 2e-14;

  private Cases() {}

  public static Rows wave(double seed, int tokens, int width) {
    double[] values = new double[tokens * width];
    for (int n = 0; n < values.length; n++) {
      values[n] = Math.sin(1.3 * n + seed);
    }
    return new Rows(values, width);
  }

  public static Rows q(int tokens) {
    return wave(0.1, tokens, KEY_DIM);
  }

  public static Rows k(int tokens) {
    return wave(0.2, tokens, KEY_DIM);
  }

  public static Rows v(int tokens) {
    return wave(0.3, tokens, VALUE_DIM);
  }

  public static Rows beta(int tokens) {
    return wave(0.6, tokens, 1).map(Gates::sigmoid);
  }

  public static Rows headDecay(int tokens) {
    return wave(0.5, tokens, 1).map(x -> -Gates.softplus(x));
  }

  public static Rows keyDecay(int tokens) {
    return wave(0.5, tokens, KEY_DIM).map(x -> -Gates.softplus(x));
  }

  /** Systems by operator. */
  public static Map<String, DynamicalSystem> all(int tokens) {
    Rows q = q(tokens);
    Rows k = k(tokens);
    Rows v = v(tokens);
    Rows unitQ = q.l2Normalized();
    Rows unitK = k.l2Normalized();
    Map<String, DynamicalSystem> all = new LinkedHashMap<>();
    all.put("linear", LinearAttention.system(q, k, v, SCALE));
    Rows phiQ = NormalizedLinearAttention.eluPlusOne(q);
    Rows phiK = NormalizedLinearAttention.eluPlusOne(k);
    all.put("linear normalised", NormalizedLinearAttention.system(phiQ, phiK, v));
    all.put("linear ratio", NormalizedLinearAttention.ratioSystem(phiQ, phiK, v));
    all.put("normalised attention", NormalizedAttention.system(q, k, v, wave(0.5, tokens, 1)));
    all.put(
        "based",
        NormalizedLinearAttention.system(TaylorFeatures.compact(q), TaylorFeatures.compact(k), v));
    all.put("retnet", RetNet.system(q, k, v, RetNet.gamma(0), SCALE));
    all.put("simple gla", GatedLinearAttention.system(q, k, v, headDecay(tokens), SCALE));
    Rows slow = wave(0.5, tokens, KEY_DIM).map(x -> Gates.logSigmoid(x) / 16);
    all.put("gla", GatedLinearAttention.system(q, k, v, slow, SCALE));
    Rows dt = wave(0.4, tokens, 1).map(Gates::softplus);
    all.put("mamba2", Mamba2.system(v, k, q, dt, -1.5, 0.7));
    all.put(
        "s6",
        SelectiveSsm.system(
            v,
            k,
            q,
            wave(0.4, tokens, VALUE_DIM).map(Gates::softplus),
            wave(0.9, VALUE_DIM, KEY_DIM).map(x -> -Math.exp(x)),
            wave(1.1, 1, VALUE_DIM)));
    all.put("deltanet", DeltaNet.system(unitQ, unitK, v, beta(tokens), SCALE));
    all.put("gdn", GatedDeltaNet.system(unitQ, unitK, v, beta(tokens), headDecay(tokens), SCALE));
    all.put(
        "kda", KimiDeltaAttention.system(unitQ, unitK, v, beta(tokens), keyDecay(tokens), SCALE));
    all.put(
        "gdn2",
        GatedDeltaNet2.system(
            unitQ,
            unitK,
            v,
            wave(0.7, tokens, KEY_DIM).map(Gates::sigmoid),
            wave(0.8, tokens, VALUE_DIM).map(Gates::sigmoid),
            keyDecay(tokens),
            SCALE));
    all.put(
        "rwkv7",
        Rwkv7.system(
            q,
            k,
            v,
            wave(0.5, tokens, KEY_DIM).map(Rwkv7::logDecay),
            wave(0.7, tokens, KEY_DIM).l2Normalized(),
            wave(0.6, tokens, KEY_DIM).map(Gates::sigmoid)));
    Rows forget = wave(0.5, tokens, VALUE_DIM);
    Rows input = wave(0.6, tokens, VALUE_DIM);
    Rows output = wave(0.7, tokens, VALUE_DIM);
    all.put("qlstm", QuasiLstm.system(v, forget, input, output));
    all.put("qlstm reversed", QuasiLstm.reversed(v, forget, input, output, 1.7));
    return all;
  }

  public static Rows run(DynamicalSystem system) {
    return Recurrence.run(system, system.newState());
  }

  public static double sum(Rows rows) {
    double sum = 0;
    for (double value : rows.values()) {
      sum += value;
    }
    return sum;
  }

  public static void assertClose(Rows expected, Rows actual, String what) {
    assertEquals(expected.width(), actual.width(), what);
    assertClose(expected.values(), actual.values(), what);
  }

  /** Equal up to rounding, relative to the largest magnitude above 1. */
  public static void assertClose(double[] expected, double[] actual, String what) {
    assertEquals(expected.length, actual.length, what);
    double largest = 1;
    for (double value : expected) {
      largest = Math.max(largest, Math.abs(value));
    }
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], actual[i], ROUNDING * largest, what + ", element " + i);
    }
  }
}
