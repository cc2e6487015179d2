package io.attention4j.engine.recurrent.memory;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.recurrent.Cases;
import io.attention4j.engine.recurrent.DeltaNet;
import io.attention4j.engine.recurrent.DynamicalSystem;
import io.attention4j.engine.recurrent.Recurrence;
import io.attention4j.engine.recurrent.Rows;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Each memory is a simpler operator in its special case, and refuses what has no meaning. */
class MemoryReductionsTest {
  private static final int TOKENS = 17;
  private static final Rows Q = Cases.q(TOKENS).l2Normalized();
  private static final Rows K = Cases.k(TOKENS).l2Normalized();
  private static final Rows V = Cases.v(TOKENS);
  private static final Rows BETA = Cases.beta(TOKENS);
  private static final Rows ZERO = MemoryCases.constant(0, TOKENS, 1);
  private static final Rows ONE = MemoryCases.constant(1, TOKENS, 1);
  private static final Rows UNBOUNDED = MemoryCases.constant(1e9, TOKENS, 1);
  private static final double[] NOTHING = new double[12];

  private static MemoryInputs inputs(Rows retention, Rows step, Rows gate) {
    return new MemoryInputs(Q, K, V, retention, step, gate);
  }

  private static double[] transposed(double[] state) {
    double[] turned = new double[state.length];
    for (int i = 0; i < state.length; i++) {
      turned[i % Cases.VALUE_DIM * Cases.KEY_DIM + i / Cases.VALUE_DIM] = state[i];
    }
    return turned;
  }

  @Test
  void withoutMomentumAndForgettingAllThreeAreDeltaNet() {
    DynamicalSystem system = DeltaNet.system(Q, K, V, BETA, 1);
    double[] delta = system.newState();
    Rows expected = Recurrence.run(system, delta);
    Rows half = BETA.scaled(0.5);
    Titans titans = new Titans(MemoryCases.LINEAR, 1);
    MemoryState state = titans.newState(NOTHING);
    Cases.assertClose(expected, titans.recurrent(inputs(ONE, half, ZERO), state), "titans");
    Cases.assertClose(transposed(delta), state.weights(), "titans, weights");
    Moneta moneta = MemoryCases.moneta(MemoryCases.LINEAR, 1, 2, 2);
    Cases.assertClose(
        expected,
        moneta.recurrent(inputs(ONE, half, null), moneta.newState(NOTHING)),
        "moneta of p = q = 2");
    Yaad yaad = new Yaad(MemoryCases.LINEAR, 1, Yaad.Outlier.SIGN);
    Cases.assertClose(
        expected,
        yaad.recurrent(inputs(ONE, half, UNBOUNDED), yaad.newState(NOTHING)),
        "yaad without a threshold");
  }

  /** With forgetting they are one operator, but not Gated DeltaNet: the read is not decayed. */
  @Test
  void titansWithoutMomentumIsMonetaOfTwoIsYaadWithoutThreshold() {
    Rows retention = MemoryCases.retention(TOKENS);
    Rows step = MemoryCases.step(TOKENS);
    for (int chunk : new int[] {1, 4, TOKENS}) {
      Titans titans = new Titans(MemoryCases.MLP, chunk);
      Moneta moneta = MemoryCases.moneta(MemoryCases.MLP, chunk, 2, 2);
      Rows v = Cases.q(TOKENS);
      Rows expected =
          titans.recurrent(
              new MemoryInputs(Q, K, v, retention, step, ZERO), MemoryCases.start(titans));
      Rows ofMoneta =
          moneta.recurrent(
              new MemoryInputs(Q, K, v, retention, step, null), MemoryCases.start(moneta));
      Cases.assertClose(expected, ofMoneta, "moneta in chunks of " + chunk);
      for (Yaad.Outlier outlier : Yaad.Outlier.values()) {
        Yaad yaad = new Yaad(MemoryCases.MLP, chunk, outlier);
        Rows ofYaad =
            yaad.recurrent(
                new MemoryInputs(Q, K, v, retention, step, UNBOUNDED), MemoryCases.start(yaad));
        Cases.assertClose(expected, ofYaad, "yaad " + outlier + " in chunks of " + chunk);
      }
    }
  }

  @Test
  void withoutStepsTheMemoryDecaysAlone() {
    Titans titans = new Titans(MemoryCases.LINEAR, 4);
    MemoryState state = MemoryCases.start(titans);
    titans.recurrent(inputs(MemoryCases.retention(TOKENS), ZERO, BETA), state);
    double beta = Arrays.stream(MemoryCases.retention(TOKENS).values()).reduce(1, (a, b) -> a * b);
    double[] expected = MemoryCases.initial(titans);
    for (int i = 0; i < expected.length; i++) {
      expected[i] *= beta;
    }
    Cases.assertClose(expected, state.weights(), "decayed");
  }

  @Test
  void withoutRetentionTheMemoryIsItsMomentum() {
    Titans titans = new Titans(MemoryCases.MLP, 3);
    MemoryState state = MemoryCases.start(titans);
    Rows v = Cases.q(TOKENS);
    titans.recurrent(new MemoryInputs(Q, K, v, ZERO, MemoryCases.step(TOKENS), BETA), state);
    assertArrayEquals(state.trace(), state.weights());
  }

  @Test
  void withoutStepsAndForgettingNothingChanges() {
    for (OnlineMemory memory : MemoryCases.all().values()) {
      if (memory instanceof MirasMemory) {
        MemoryInputs some = MemoryCases.inputs(memory, TOKENS);
        MemoryState state = MemoryCases.start(memory);
        double[] before = state.weights();
        memory.recurrent(
            new MemoryInputs(some.q(), some.k(), some.v(), ONE, ZERO, some.gate()), state);
        Cases.assertClose(before, state.weights(), "unchanged");
      }
    }
  }

  @Test
  void theRowsOfMemoraSumToOneWithinAChunkToo() {
    for (int chunk : new int[] {1, 6}) {
      Memora memory = new Memora(MemoryCases.LINEAR, chunk);
      MemoryState state = MemoryCases.start(memory);
      MemoryInputs in = MemoryCases.inputs(memory, TOKENS);
      for (int t = 0; t < TOKENS; t++) {
        memory.recurrent(in.slice(t, t + 1), state);
        double[] weights = state.weights();
        for (int row = 0; row < Cases.VALUE_DIM; row++) {
          double sum = Arrays.stream(weights, row * Cases.KEY_DIM, (row + 1) * Cases.KEY_DIM).sum();
          assertEquals(1, sum, Cases.ROUNDING, "row " + row + " after token " + t);
        }
      }
    }
  }

  @Test
  void memoraWithoutForgettingIsTheExponentiatedGradient() {
    Memora memory = new Memora(MemoryCases.LINEAR, 1);
    MemoryState state = MemoryCases.start(memory);
    MemoryInputs in = inputs(ONE, MemoryCases.step(TOKENS), null);
    double[] w = state.weights();
    for (int t = 0; t < TOKENS; t++) {
      for (int row = 0; row < Cases.VALUE_DIM; row++) {
        double error = -V.at(t, row);
        for (int c = 0; c < Cases.KEY_DIM; c++) {
          error += w[row * Cases.KEY_DIM + c] * K.at(t, c);
        }
        double sum = 0;
        for (int c = 0; c < Cases.KEY_DIM; c++) {
          w[row * Cases.KEY_DIM + c] *= Math.exp(-in.step().at(t, 0) * 2 * error * K.at(t, c));
          sum += w[row * Cases.KEY_DIM + c];
        }
        for (int c = 0; c < Cases.KEY_DIM; c++) {
          w[row * Cases.KEY_DIM + c] /= sum;
        }
      }
    }
    memory.recurrent(in, state);
    Cases.assertClose(w, state.weights(), "multiplicative updates");
  }

  /** 200 steps of size 1 push weights below the smallest double; their logarithms come back. */
  @Test
  void aWeightOfMemoraThatUnderflowsIsNotLost() {
    Memora memory = new Memora(MemoryNetwork.linear(2, 1), 1);
    MemoryState state = memory.newState(new double[] {0.5, 0.5});
    Rows key = MemoryCases.constant(1, 400, 1);
    double[] keys = new double[800];
    for (int t = 0; t < 400; t++) {
      keys[2 * t] = 1;
    }
    Rows down = MemoryCases.constant(-2, 200, 1);
    Rows up = MemoryCases.constant(4, 200, 1);
    double[] values = new double[400];
    System.arraycopy(down.values(), 0, values, 0, 200);
    System.arraycopy(up.values(), 0, values, 200, 200);
    Rows k = new Rows(keys, 2);
    MemoryInputs in = new MemoryInputs(k, k, new Rows(values, 1), key, key, null);
    memory.recurrent(in.slice(0, 200), state);
    assertEquals(0, state.weights()[0]);
    memory.recurrent(in.slice(200, 400), state);
    assertTrue(state.weights()[0] > 0.999, "weight " + state.weights()[0]);
  }

  @Test
  void theOutlierRulesOfYaadBeyondTheirThreshold() {
    MemoryInputs in = inputs(ONE, ONE, MemoryCases.constant(0.5, TOKENS, 1));
    double[] error = {0.3, -0.4, 0};
    double[] large = {3, -0.4, 0};
    double norm = Math.sqrt(9.16);
    assertArrayEquals(new double[] {0.6, -0.8, 0}, signal(Yaad.Outlier.SIGN, error, in));
    assertArrayEquals(new double[] {0.5, -0.5, 0}, signal(Yaad.Outlier.SIGN, large, in));
    assertArrayEquals(
        new double[] {3 / norm, -0.4 / norm, 0}, signal(Yaad.Outlier.DIRECTION, large, in), 1e-15);
    assertArrayEquals(new double[] {1, -0.8, 0}, signal(Yaad.Outlier.ELEMENT, large, in));
  }

  private static double[] signal(Yaad.Outlier outlier, double[] error, MemoryInputs in) {
    double[] signal = error.clone();
    new Yaad(MemoryCases.LINEAR, 1, outlier).outputGradient(signal, in, 0);
    return signal;
  }

  /** By central differences of ||A||_4^2 / 2. */
  @Test
  void theExactMapOfMonetaIsTheGradientOfItsNorm() {
    Moneta moneta =
        new Moneta(MemoryCases.LINEAR, 1, 3, 4, Moneta.MirrorMap.EXACT, Moneta.ErrorSign.HARD);
    double[] a = MemoryCases.initial(moneta);
    double[] weights = moneta.newState(a).weights();
    for (int i = 0; i < a.length; i++) {
      double at = a[i];
      a[i] = at + 1e-5;
      double above = halfSquaredNorm(a);
      a[i] = at - 1e-5;
      double below = halfSquaredNorm(a);
      a[i] = at;
      assertEquals((above - below) / 2e-5, weights[i], 1e-9, "element " + i);
    }
  }

  private static double halfSquaredNorm(double[] a) {
    return 0.5 * Math.sqrt(Arrays.stream(a).map(x -> x * x * x * x).sum());
  }

  private static String refusal(Runnable action) {
    return assertThrows(IllegalArgumentException.class, action::run).getMessage();
  }

  @Test
  void refusals() {
    assertEquals(
        "a chunk of 0 tokens; it needs at least 1",
        refusal(() -> new Titans(MemoryCases.LINEAR, 0)));
    assertEquals(
        "a memory of widths [4, 3] has 12 weights, not 11",
        refusal(() -> new Titans(MemoryCases.LINEAR, 1).newState(new double[11])));
    assertEquals(
        "titans needs a gate, its momentum",
        refusal(
            () ->
                new Titans(MemoryCases.LINEAR, 1)
                    .recurrent(
                        inputs(ONE, ZERO, null),
                        MemoryCases.start(new Titans(MemoryCases.LINEAR, 1)))));
    String zero = refusal(() -> MemoryCases.moneta(MemoryCases.LINEAR, 1, 3, 4).newState(NOTHING));
    assertTrue(zero.startsWith("matrix 0 of Moneta's initial trace is zero"), zero);
    String powers = refusal(() -> MemoryCases.moneta(MemoryCases.LINEAR, 1, 3, 1.5));
    assertEquals("Moneta's p of 3.0 must be at least 1 and its q of 1.5 at least 2", powers);
    String negative = refusal(() -> new Memora(MemoryCases.LINEAR, 1).newState(NOTHING));
    assertTrue(negative.startsWith("Memora's initial weights must be positive, not 0.0"), negative);
    double[] ones = new double[12];
    Arrays.fill(ones, 1);
    String sum = refusal(() -> new Memora(MemoryCases.LINEAR, 1).newState(ones));
    assertTrue(sum.startsWith("row 0 of matrix 0 of Memora's initial weights sums to 4.0"), sum);
    String range = refusal(() -> inputs(ONE.scaled(1.1), ZERO, null));
    assertTrue(range.startsWith("a memory's retention of 1.1 is outside 0..1"), range);
    String nan = refusal(() -> inputs(ONE, ZERO.map(x -> Double.NaN), null));
    assertTrue(nan.startsWith("a memory's step of NaN is outside 0..infinity"), nan);
    String residual = refusal(() -> new MemoryNetwork(java.util.List.of(4, 3), true));
    assertTrue(residual.contains("[4, 3] must end as they begin"), residual);
    String channels =
        refusal(
            () -> {
              Titans titans = new Titans(MemoryCases.LINEAR, 1);
              titans.recurrent(MemoryCases.perChannel(titans, TOKENS), MemoryCases.start(titans));
            });
    assertTrue(channels.startsWith("retention is [17, 3] but must be as wide as one of [1]"));
  }
}
