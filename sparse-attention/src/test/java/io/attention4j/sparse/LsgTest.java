package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.attention4j.engine.attention.Mask;
import io.attention4j.sparse.OperatorRun.Data;
import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The sparse entries of LSG. */
class LsgTest {
  private static final int TOKENS = 88;
  private static final float TOLERANCE = 4e-6f;

  /** The same key and value in each run of four tokens, so that their mean is one of them. */
  private static Data inRuns() {
    Data data = Data.random(TOKENS, 1);
    float[] k = data.k().clone();
    float[] v = data.v().clone();
    int width = k.length / TOKENS;
    for (int token = 0; token < TOKENS; token++) {
      System.arraycopy(data.k(), token / 4 * 4 * width, k, token * width, width);
      System.arraycopy(data.v(), token / 4 * 4 * width, v, token * width, width);
    }
    return new Data(data.q(), k, v);
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.simd"})
  void aMeanOfAlikeTokensCountsOnce(String kernels) {
    Data data = inRuns();
    // Blocks of 8 with their predecessor, and one entry for each of the 6 runs before.
    float[] expected =
        OperatorRun.expected(
            data,
            (row, key) -> {
              int local = Math.max(0, row / 8 - 1) * 8;
              return key <= row && (key >= local || key >= local - 24 && key % 4 == 0);
            });
    String option = "lsg:block=8;sparse=6;factor=4;type=pool;globals=0";
    try (OperatorRun run = new OperatorRun(kernels, option)) {
      assertArrayEquals(expected, run.outputs(data, TOKENS), TOLERANCE);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.simd"})
  void theLargestKeysAreRead(String kernels) {
    Data random = Data.random(TOKENS, 2);
    float[] k = random.k().clone();
    int width = k.length / TOKENS;
    for (int token = 0; token < TOKENS; token++) {
      for (int d = 0; d < width; d++) {
        k[token * width + d] *= token % 4 == 2 ? 3 : 0.2f;
      }
    }
    Data data = new Data(random.q(), k, random.v());
    float[] expected =
        OperatorRun.expected(
            data,
            (row, key) -> {
              int local = Math.max(0, row / 8 - 1) * 8;
              return key <= row
                  && (key >= local || key >= local - 24 && key % 4 == 2 || local <= 6);
            });
    String option = "lsg:block=8;sparse=6;factor=4;type=norm;globals=0";
    try (OperatorRun run = new OperatorRun(kernels, option)) {
      float[] out = run.outputs(data, TOKENS);
      // From the row on whose whole reach is there; earlier ones have fewer than 6 large keys.
      int from = 40 * OperatorRun.QUERY_HEADS * OperatorRun.HEAD_DIM;
      assertArrayEquals(
          Arrays.copyOfRange(expected, from, expected.length),
          Arrays.copyOfRange(out, from, out.length),
          TOLERANCE);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.simd"})
  void everyFourthTokenOnBothSides(String kernels) {
    // Heads have phases of their own; with alike tokens in a run of four no phase matters.
    Data data = inRuns();
    float[] expected =
        OperatorRun.expected(
            data,
            (row, key) -> {
              int from = row / 8 * 8 - 8;
              int to = row / 8 * 8 + 16;
              boolean sparse =
                  key % 4 == 0 && (key >= from - 24 && key < from || key >= to && key < to + 24);
              return key >= from && key < to || sparse;
            });
    for (String type : new String[] {"pool", "stride"}) {
      String option = "lsg:block=8;sparse=6;factor=4;globals=0;type=" + type;
      try (OperatorRun run = new OperatorRun(kernels, option, new Mask.All(), "contiguous+f32")) {
        assertArrayEquals(expected, run.outputs(data, TOKENS), TOLERANCE, type);
      }
    }
  }
}
