package io.attention4j.engine.recurrent.memory;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.attention4j.engine.recurrent.Cases;
import io.attention4j.engine.recurrent.Rows;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Values that the independent NumPy code of the specs prints. */
class MemoryGoldenTest {
  /** The values are rounded to 12 decimals. */
  private static final double PRINTED = 1e-12;

  @ParameterizedTest
  @CsvSource({
    "1, -0.081695360302, 0.058452268904",
    "4, -0.053236468015, 0.061868967466",
    "8, -0.035371729547, 0.078535267719"
  })
  void titans(int chunk, double sum, double first) {
    Titans memory = new Titans(MemoryCases.LINEAR, chunk);
    MemoryInputs in = MemoryCases.inputs(memory, Cases.TOKENS);
    MemoryState state = memory.newState(new double[12]);
    assertEquals(sum, Cases.sum(memory.recurrent(in, state)), PRINTED);
    assertEquals(first, state.weights()[0], PRINTED);
    MemoryState chunked = memory.newState(new double[12]);
    assertEquals(sum, Cases.sum(memory.chunked(in, chunked)), PRINTED);
    assertEquals(first, chunked.weights()[0], PRINTED);
  }

  private static void assertGolden(OnlineMemory memory, double sum, double first) {
    MemoryState state = MemoryCases.start(memory);
    Rows y = memory.recurrent(MemoryCases.inputs(memory, Cases.TOKENS), state);
    assertEquals(sum, Cases.sum(y), PRINTED);
    assertEquals(first, state.weights()[0], PRINTED);
  }

  @ParameterizedTest
  @CsvSource({"3, 4, 7.278423754913, -0.078151329234", "2, 2, 0.715371792355, 0.007875970567"})
  void moneta(double p, double q, double sum, double first) {
    assertGolden(MemoryCases.moneta(MemoryCases.LINEAR, 1, p, q), sum, first);
  }

  @ParameterizedTest
  @CsvSource("0.747623331225, 0.005619905972")
  void yaad(double sum, double first) {
    assertGolden(new Yaad(MemoryCases.LINEAR, 1, Yaad.Outlier.SIGN), sum, first);
  }

  @ParameterizedTest
  @CsvSource("0.800625432106, 0.261184895305")
  void memora(double sum, double first) {
    assertGolden(new Memora(MemoryCases.LINEAR, 1), sum, first);
  }
}
