package io.attention4j.engine.recurrent;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Recurrent, chunked and quadratic forms agree for every operator, chunk size and split. */
class FormsTest {
  private static final int TOKENS = 23;
  private static final Map<String, DynamicalSystem> SYSTEMS = Cases.all(TOKENS);

  static Stream<String> operators() {
    return SYSTEMS.keySet().stream();
  }

  /** A state that is not empty, as after an earlier part of the sequence. */
  private static double[] someState(DynamicalSystem system) {
    return Cases.wave(0.05, system.stateDim(), system.valueDim()).values();
  }

  @ParameterizedTest
  @MethodSource("operators")
  void everyChunkSizeGivesTheRecurrence(String operator) {
    DynamicalSystem system = SYSTEMS.get(operator);
    double[] expectedState = someState(system);
    Rows expected = Recurrence.run(system, expectedState);
    for (int chunk = 1; chunk <= TOKENS + 1; chunk++) {
      double[] state = someState(system);
      Rows y = ChunkedScan.run(system, state, chunk);
      Cases.assertClose(expected, y, operator + " in chunks of " + chunk);
      Cases.assertClose(expectedState, state, operator + " state, chunks of " + chunk);
    }
  }

  @ParameterizedTest
  @MethodSource("operators")
  void everySplitGivesTheWhole(String operator) {
    DynamicalSystem system = SYSTEMS.get(operator);
    double[] expectedState = someState(system);
    Rows expected = Recurrence.run(system, expectedState);
    for (int split = 0; split <= TOKENS; split++) {
      double[] state = someState(system);
      Rows head = Recurrence.run(system.slice(0, split), state);
      Rows tail = ChunkedScan.run(system.slice(split, TOKENS), state, 5);
      String what = operator + " split at " + split;
      Cases.assertClose(expected.slice(0, split), head, what);
      Cases.assertClose(expected.slice(split, TOKENS), tail, what);
      Cases.assertClose(expectedState, state, what + ", state");
    }
  }

  @ParameterizedTest
  @MethodSource("operators")
  void theQuadraticFormGivesTheRecurrenceWhereItExists(String operator) {
    DynamicalSystem system = SYSTEMS.get(operator);
    if (system.lowRank() == null) {
      Cases.assertClose(Cases.run(system), QuadraticForm.run(system), operator);
    } else {
      String message =
          assertThrows(IllegalArgumentException.class, () -> QuadraticForm.run(system))
              .getMessage();
      assertEquals(
          "a system with a rank-one transition has no quadratic form; run it in chunks", message);
    }
  }

  @Test
  void phiTimesTheInputsIsTheOutput() {
    DynamicalSystem system = SYSTEMS.get("s6");
    Rows y = Cases.run(system);
    double[] phi = QuadraticForm.matrix(system, 1);
    double expected = system.d().at(0, 0, 1) * system.u().at(TOKENS - 1, 1);
    for (int m = 0; m < TOKENS; m++) {
      expected += phi[(TOKENS - 1) * TOKENS + m] * system.u().at(m, 1);
    }
    assertEquals(expected, y.at(TOKENS - 1, 1), Cases.ROUNDING);
  }

  /** e^-G of this chunk would be e^40000; the forms multiply decays of at most 1 only. */
  @Test
  void strongDecayOverLongChunksStaysFinite() {
    int tokens = 200;
    Rows decay = Cases.wave(0.5, tokens, 1).map(x -> -200 - x);
    Rows q = Cases.q(tokens);
    Rows k = Cases.k(tokens);
    DynamicalSystem gla = GatedLinearAttention.system(q, k, Cases.v(tokens), decay, 1);
    DynamicalSystem gdn =
        GatedDeltaNet.system(
            q.l2Normalized(), k.l2Normalized(), Cases.v(tokens), Cases.beta(tokens), decay, 1);
    for (DynamicalSystem system : new DynamicalSystem[] {gla, gdn}) {
      Rows expected = Cases.run(system);
      Rows y = ChunkedScan.run(system, system.newState(), tokens);
      assertTrue(Double.isFinite(Cases.sum(y)));
      Cases.assertClose(expected, y, "strong decay");
    }
  }

  @Test
  void noTokensChangeNothing() {
    DynamicalSystem system = SYSTEMS.get("kda").slice(0, 0);
    double[] state = someState(system);
    assertEquals(0, Recurrence.run(system, state).tokens());
    assertEquals(0, ChunkedScan.run(system, state, 4).tokens());
    assertArrayEquals(someState(system), state);
  }

  @Test
  void refusalsNameTheExtents() {
    Rows q = Cases.q(4);
    Rows v = Cases.v(5);
    String rows =
        assertThrows(
                IllegalArgumentException.class, () -> LinearAttention.system(q, Cases.k(5), v, 1))
            .getMessage();
    assertTrue(rows.startsWith("C is [4, 4, 1] but the system is [5, 4, 3]"), rows);
    DynamicalSystem system = SYSTEMS.get("linear");
    String state =
        assertThrows(IllegalArgumentException.class, () -> Recurrence.run(system, new double[3]))
            .getMessage();
    assertEquals("the state has 3 elements but the system needs 4 x 3", state);
    String chunk =
        assertThrows(
                IllegalArgumentException.class, () -> ChunkedScan.run(system, system.newState(), 0))
            .getMessage();
    assertEquals("a chunk of 0 tokens; it needs at least 1", chunk);
    String decay =
        assertThrows(
                IllegalArgumentException.class,
                () -> GatedDeltaNet.system(q, q, q, Cases.beta(4), Cases.keyDecay(4), 1))
            .getMessage();
    assertTrue(decay.contains("KimiDeltaAttention"), decay);
  }
}
