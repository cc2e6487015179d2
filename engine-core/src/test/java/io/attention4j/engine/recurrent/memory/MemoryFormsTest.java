package io.attention4j.engine.recurrent.memory;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.recurrent.Cases;
import io.attention4j.engine.recurrent.Rows;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Both forms and every split agree for every memory, network and chunk; nothing looks ahead. */
class MemoryFormsTest {
  private static final int TOKENS = 13;
  private static final Map<String, OnlineMemory> MEMORIES = MemoryCases.all();

  static Stream<String> memories() {
    return MEMORIES.keySet().stream();
  }

  private static void assertSame(MemoryState expected, MemoryState actual, String what) {
    Cases.assertClose(expected.weights(), actual.weights(), what + ", weights");
    Cases.assertClose(expected.trace(), actual.trace(), what + ", trace");
    assertEquals(expected.inChunk(), actual.inChunk(), what);
  }

  @ParameterizedTest
  @MethodSource("memories")
  void theClosedFormIsTheRecurrence(String name) {
    OnlineMemory memory = MEMORIES.get(name);
    MemoryState expected = MemoryCases.start(memory);
    MemoryState state = MemoryCases.start(memory);
    MemoryInputs in = MemoryCases.inputs(memory, TOKENS);
    Cases.assertClose(memory.recurrent(in, expected), memory.chunked(in, state), name);
    assertSame(expected, state, name);
  }

  /** Not only at multiples of the chunk: the state knows its place. */
  @ParameterizedTest
  @MethodSource("memories")
  void everySplitGivesTheWhole(String name) {
    OnlineMemory memory = MEMORIES.get(name);
    MemoryInputs in = MemoryCases.inputs(memory, TOKENS);
    MemoryState expected = MemoryCases.start(memory);
    Rows whole = memory.recurrent(in, expected);
    for (int split = 0; split <= TOKENS; split++) {
      MemoryState state = MemoryCases.start(memory);
      Rows head = memory.chunked(in.slice(0, split), state);
      Rows tail = memory.chunked(in.slice(split, TOKENS), state);
      Cases.assertClose(whole.slice(0, split), head, name + " to " + split);
      Cases.assertClose(whole.slice(split, TOKENS), tail, name + " from " + split);
      assertSame(expected, state, name + " split at " + split);
    }
  }

  @ParameterizedTest
  @MethodSource("memories")
  void gatesPerChannelGoThroughBothForms(String name) {
    OnlineMemory memory = MEMORIES.get(name);
    if (memory instanceof MirasMemory && memory.network().depth() <= 2) {
      MemoryInputs in = MemoryCases.perChannel(memory, TOKENS);
      Rows expected = memory.recurrent(in, MemoryCases.start(memory));
      Cases.assertClose(expected, memory.chunked(in, MemoryCases.start(memory)), name);
    }
  }

  @ParameterizedTest
  @MethodSource("memories")
  void laterTokensChangeNothing(String name) {
    OnlineMemory memory = MEMORIES.get(name);
    MemoryInputs in = MemoryCases.inputs(memory, TOKENS);
    Rows whole = memory.chunked(in, MemoryCases.start(memory));
    for (int tokens = 1; tokens < TOKENS; tokens++) {
      Rows prefix = memory.chunked(in.slice(0, tokens), MemoryCases.start(memory));
      assertArrayEquals(whole.slice(0, tokens).values(), prefix.values(), name);
    }
  }

  @ParameterizedTest
  @MethodSource("memories")
  void readingLearnsNothing(String name) {
    OnlineMemory memory = MEMORIES.get(name);
    MemoryState state = MemoryCases.start(memory);
    MemoryInputs in = MemoryCases.inputs(memory, TOKENS);
    Rows y = memory.recurrent(in, state);
    double[] before = state.weights();
    Rows again = memory.read(in.q().slice(TOKENS - 1, TOKENS), state);
    assertArrayEquals(y.slice(TOKENS - 1, TOKENS).values(), again.values());
    assertArrayEquals(before, state.weights());
  }

  /** beta and m of these tokens are far below the smallest double; their quotients would be NaN. */
  @Test
  void longChunksOfStrongForgettingStayFinite() {
    int tokens = 400;
    Titans memory = new Titans(MemoryCases.LINEAR, tokens);
    MemoryInputs some = MemoryCases.inputs(memory, tokens);
    Rows small = MemoryCases.constant(1e-3, tokens, 1);
    MemoryInputs in = new MemoryInputs(some.q(), some.k(), some.v(), small, some.step(), small);
    Rows expected = memory.recurrent(in, MemoryCases.start(memory));
    Rows y = memory.chunked(in, MemoryCases.start(memory));
    assertTrue(Double.isFinite(Cases.sum(y)));
    Cases.assertClose(expected, y, "strong forgetting");
  }

  /** Central differences of error^T M(x). */
  @ParameterizedTest
  @MethodSource("memories")
  void theGradientIsTheDerivative(String name) {
    OnlineMemory memory = MEMORIES.get(name);
    MemoryNetwork network = memory.network();
    double[] weights = Cases.wave(0.4, network.parameters(), 1).values();
    double[] x = Cases.wave(0.2, 1, network.keyDim()).values();
    double[] error = Cases.wave(0.9, 1, network.valueDim()).values();
    double[] gradient = network.gradient(weights, x, error);
    double h = 1e-5;
    for (int i = 0; i < weights.length; i++) {
      double at = weights[i];
      weights[i] = at + h;
      double above = along(network.read(weights, x), error);
      weights[i] = at - h;
      double below = along(network.read(weights, x), error);
      weights[i] = at;
      // Third derivatives of size 10 leave h^2, rounding leaves 1e-16 / h.
      assertEquals((above - below) / (2 * h), gradient[i], 1e-8, name + ", weight " + i);
    }
  }

  private static double along(double[] y, double[] error) {
    double sum = 0;
    for (int i = 0; i < y.length; i++) {
      sum += y[i] * error[i];
    }
    return sum;
  }
}
