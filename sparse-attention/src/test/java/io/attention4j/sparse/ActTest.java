package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.operator.Truncation;
import io.attention4j.sparse.OperatorRun.Data;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.util.Arrays;
import java.util.BitSet;
import java.util.function.IntPredicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Calibrated attention against the paper's steps on whole attention matrices in float64. */
class ActTest {
  private static final int TOKENS = 150;
  private static final int HEADS = OperatorRun.QUERY_HEADS;
  private static final int DIM = OperatorRun.HEAD_DIM;

  /** Outputs are means of values below 2 in f32; weights are recomputed from an f32 lse. */
  private static final float TOLERANCE = 8e-6f;

  /** Random inputs in which keys 0, 5 and 90 attract every row of every head. */
  private static Data withSinks(long seed) {
    Data data = Data.random(TOKENS, seed);
    for (int token = 0; token < TOKENS; token++) {
      for (int h = 0; h < HEADS; h++) {
        data.q()[(token * HEADS + h) * DIM] = 2.5f;
      }
    }
    int width = OperatorRun.KV_HEADS * DIM;
    for (int key : new int[] {0, 5, 90}) {
      for (int h = 0; h < OperatorRun.KV_HEADS; h++) {
        data.k()[key * width + h * DIM] = 5.2f;
      }
    }
    return data;
  }

  /** Weights of a head, [row][key], causal within a window of keys. */
  private static double[][] attention(Data data, int head, int window) {
    double[][] p = new double[data.tokens()][data.tokens()];
    int kvHead = head / (HEADS / OperatorRun.KV_HEADS);
    for (int i = 0; i < p.length; i++) {
      double sum = 0;
      for (int j = Math.max(0, i - window + 1); j <= i; j++) {
        double dot = 0;
        for (int d = 0; d < DIM; d++) {
          dot +=
              data.q()[(i * HEADS + head) * DIM + d]
                  * (double) data.k()[(j * OperatorRun.KV_HEADS + kvHead) * DIM + d];
        }
        p[i][j] = Math.exp(dot * (float) (1 / Math.sqrt(DIM)));
        sum += p[i][j];
      }
      for (int j = 0; j <= i; j++) {
        p[i][j] /= sum;
      }
    }
    return p;
  }

  /** The mean weight on a key of the first rows that see it. */
  private static double mean(double[][] p, int key, int rows, int window) {
    double sum = 0;
    int seen = 0;
    for (int i = key; i < rows && i < key + window; i++) {
      sum += p[i][key];
      seen++;
    }
    return sum / seen;
  }

  private static BitSet sinks(double[][] p, int rows, int window, double tau) {
    BitSet sinks = new BitSet();
    for (int j = 1; j < rows; j++) {
      sinks.set(j, mean(p, j, rows, window) > tau);
    }
    return sinks;
  }

  /** The paper's formula on a row: damp the sinks, give the rest what that frees. */
  private static double[] calibrated(double[] row, BitSet sinks, double beta) {
    double freed = 0;
    double rest = 0;
    for (int j = 0; j < row.length; j++) {
      freed += sinks.get(j) ? (1 - beta) * row[j] : 0;
      rest += sinks.get(j) ? 0 : row[j];
    }
    double[] changed = row.clone();
    for (int j = 0; j < row.length && rest > 0; j++) {
      changed[j] *= sinks.get(j) ? beta : 1 + freed / rest;
    }
    return changed;
  }

  private static float[] output(Data data, double[][][] weightsOfHeads) {
    float[] out = new float[data.q().length];
    for (int i = 0; i < data.tokens(); i++) {
      for (int h = 0; h < HEADS; h++) {
        int kvHead = h / (HEADS / OperatorRun.KV_HEADS);
        for (int d = 0; d < DIM; d++) {
          double sum = 0;
          for (int j = 0; j <= i; j++) {
            sum +=
                weightsOfHeads[h][i][j] * data.v()[(j * OperatorRun.KV_HEADS + kvHead) * DIM + d];
          }
          out[(i * HEADS + h) * DIM + d] = (float) sum;
        }
      }
    }
    return out;
  }

  private interface SinksOfRow {
    BitSet of(double[][] p, int row);
  }

  private static float[] expected(Data data, double beta, IntPredicate heads, SinksOfRow sinks) {
    double[][][] all = new double[HEADS][][];
    for (int h = 0; h < HEADS; h++) {
      double[][] p = attention(data, h, TOKENS);
      all[h] = new double[TOKENS][];
      for (int i = 0; i < TOKENS; i++) {
        all[h][i] = heads.test(h) ? calibrated(p[i], sinks.of(p, i), beta) : p[i];
        assertEquals(1, Arrays.stream(all[h][i]).sum(), 1e-12, "a row's weights");
      }
    }
    return output(data, all);
  }

  private static float[] run(String kernels, String option, Data data, int... steps) {
    try (OperatorRun run = new OperatorRun(kernels, option)) {
      return run.outputs(data, steps);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "reference, act:tau=0.1;beta=0.4, 0.1, 0.4",
    "cpu.simd, act:tau=0.1;beta=0.4, 0.1, 0.4",
    "cpu.scalar, act:tau=0.05;beta=0, 0.05, 0",
    "cpu.simd, act, 0.1, 0.4",
    "cpu.simd, act:tau=0;beta=0.5, 0, 0.5",
    "cpu.simd, act:alpha=5;beta=0.9, 0.03333333333333333, 0.9"
  })
  void aPromptIsTheExplicitFormula(String kernels, String option, double tau, double beta) {
    Data data = withSinks(3);
    float[] expected = expected(data, beta, h -> true, (p, row) -> sinks(p, TOKENS, TOKENS, tau));
    float[] dense = run(kernels, "softmax", data, TOKENS);
    assertArrayEquals(expected, run(kernels, option, data, TOKENS), TOLERANCE);
    assertFalse(Arrays.equals(dense, expected), "nothing was damped");
  }

  @Test
  void theSinksAreThePlantedOnes() {
    double[][] p = attention(withSinks(3), 1, TOKENS);
    BitSet found = sinks(p, TOKENS, TOKENS, 0.1);
    assertTrue(found.get(5) && found.get(90), found.toString());
    assertTrue(mean(p, 0, TOKENS, TOKENS) > 0.1, "the first key would be one, were it not spared");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"act:beta=1", "act:tau=1", "act:tau=1;strict=true", "act:beta=1;strict=true"})
  void noDampingAndNoSinksAreDenseBitForBit(String option) {
    Data data = withSinks(4);
    assertArrayEquals(
        run("cpu.simd", "softmax", data, 100, 40, 1), run("cpu.simd", option, data, 100, 40, 1));
  }

  /** beta = 0 is dense attention with the sinks masked out. */
  @Test
  void withBetaZeroSinksAreHidden() {
    Data data = withSinks(5);
    BitSet[] sinks = new BitSet[HEADS];
    for (int h = 0; h < HEADS; h++) {
      sinks[h] = sinks(attention(data, h, TOKENS), TOKENS, TOKENS, 0.1);
    }
    float[] masked =
        OperatorRun.expectedOfHeads(data, (h, row, key) -> key <= row && !sinks[h].get(key));
    assertArrayEquals(masked, run("reference", "act:beta=0", data, TOKENS), TOLERANCE);
  }

  @Test
  void outputsAreAffineInBeta() {
    Data data = withSinks(6);
    float[] hidden = run("cpu.simd", "act:beta=0", data, TOKENS);
    float[] dense = run("cpu.simd", "act:beta=1", data, TOKENS);
    float[] quarter = run("cpu.simd", "act:beta=0.25", data, TOKENS);
    for (int i = 0; i < quarter.length; i++) {
      assertEquals(hidden[i] + 0.25 * (dense[i] - hidden[i]), quarter[i], TOLERANCE);
    }
  }

  /** Equal keys: a_j = mean of 1 / (i + 1) over i >= j falls with j. */
  @Test
  void uniformAttentionChangesNothingAboveItsSecondColumn() {
    Data data = Data.random(TOKENS, 7);
    Arrays.fill(data.k(), 0.25f);
    double second = 0;
    for (int i = 1; i < TOKENS; i++) {
      second += 1 / (i + 1.0) / (TOKENS - 1);
    }
    float[] dense = run("reference", "softmax", data, TOKENS);
    String above = "act:tau=" + (second + 1e-6);
    assertArrayEquals(dense, run("reference", above, data, TOKENS));
    String below = "act:tau=" + (second - 1e-6);
    assertFalse(Arrays.equals(dense, run("reference", below, data, TOKENS)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"act:heads=1/2", "act:heads=1/2;strict=true"})
  void onlyTheListedHeadsChange(String option) {
    Data data = withSinks(8);
    float[] dense = run("cpu.simd", "softmax", data, TOKENS);
    float[] some = run("cpu.simd", option, data, TOKENS);
    float[] all = run("cpu.simd", option.replace("heads=1/2", "beta=0.4"), data, TOKENS);
    for (int i = 0; i < some.length; i++) {
      int head = i / DIM % HEADS;
      assertEquals(head == 1 || head == 2 ? all[i] : dense[i], some[i]);
    }
  }

  /** Row i knows the rows up to i; so pieces do not matter, and decoding is the same. */
  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.simd"})
  void strictRowsKnowNoLaterRow(String kernels) {
    Data data = withSinks(9);
    float[] expected = expected(data, 0.4, h -> true, (p, row) -> sinks(p, row + 1, TOKENS, 0.1));
    for (int[] steps : new int[][] {{TOKENS}, {70}, {1}, {90, 30, 1}}) {
      assertArrayEquals(
          expected, run(kernels, "act:strict=true", data, steps), TOLERANCE, "steps " + steps[0]);
    }
  }

  /** The sinks of the prompt stay; a decoded token that would be one is none. */
  @ParameterizedTest
  @CsvSource({"act, 80", "act, 120"})
  void decodingKeepsTheSinksOfThePrompt(String option, int prompt) {
    Data data = withSinks(10);
    float[] expected = expected(data, 0.4, h -> true, (p, row) -> sinks(p, prompt, TOKENS, 0.1));
    float[] actual = run("cpu.simd", option, data, prompt, 1);
    assertArrayEquals(expected, actual, TOLERANCE);
  }

  @Test
  void updatingCountsDecodedRows() {
    Data data = withSinks(11);
    int prompt = 80;
    float[] expected =
        expected(
            data, 0.4, h -> true, (p, row) -> sinks(p, Math.max(prompt, row + 1), TOKENS, 0.1));
    assertArrayEquals(expected, run("cpu.simd", "act:update=true", data, prompt, 1), TOLERANCE);
  }

  /** A second prompt counts its own rows, and decoded rows between do not count. */
  @Test
  void rowsDecodedBetweenPromptsDoNotCount() {
    Data data = withSinks(12);
    SinksOfRow sinks =
        (p, row) -> {
          BitSet found = new BitSet();
          for (int j = 1; j < (row < 110 ? 100 : TOKENS); j++) {
            double sum = 0;
            int seen = 0;
            for (int i = j; i < (row < 110 ? 100 : TOKENS); i++) {
              if (i < 100 || i >= 110) {
                sum += p[i][j];
                seen++;
              }
            }
            found.set(j, sum / seen > 0.1);
          }
          return found;
        };
    assertArrayEquals(
        expected(data, 0.4, h -> true, sinks),
        run("cpu.simd", "act", data, 100, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 40),
        TOLERANCE);
  }

  /** Where the first key is no sink, the released code spares the first that is. */
  @Test
  void theReleasedCodeSparesTheFirstSinkFound() {
    Data data = withSinks(13);
    for (int h = 0; h < OperatorRun.KV_HEADS; h++) {
      data.k()[h * DIM] = -6;
    }
    SinksOfRow first =
        (p, row) -> {
          BitSet found = sinks(p, TOKENS, TOKENS, 0.1);
          assertTrue(mean(p, 0, TOKENS, TOKENS) < 0.1);
          found.clear(found.nextSetBit(0));
          return found;
        };
    assertArrayEquals(
        expected(data, 0.4, h -> true, first),
        run("cpu.simd", "act:spare=found", data, TOKENS),
        TOLERANCE);
  }

  @Test
  void aSlidingLayerCountsTheRowsThatSeeAKey() {
    Data data = withSinks(14);
    int window = 40;
    double[][][] all = new double[HEADS][TOKENS][];
    for (int h = 0; h < HEADS; h++) {
      double[][] p = attention(data, h, window);
      BitSet sinks = sinks(p, TOKENS, window, 0.1);
      for (int i = 0; i < TOKENS; i++) {
        all[h][i] = calibrated(p[i], sinks, 0.4);
      }
    }
    try (OperatorRun run =
        new OperatorRun("cpu.simd", "act", new Mask.Window(window - 1, 0), "paged:page=16+f32")) {
      assertArrayEquals(output(data, all), run.outputs(data, TOKENS), TOLERANCE);
    }
  }

  @Test
  void forksRestoresAndGoesBack() throws IOException {
    Data data = withSinks(15);
    try (OperatorRun run = new OperatorRun("cpu.simd", "act")) {
      float[] expected = run.outputs(data, 100, 1);
      LayerState state = run.layer.newState();
      run.step(state, data, 0, 100);
      try (LayerState fork = state.fork();
          LayerState restored = run.layer.newState()) {
        ByteArrayOutputStream file = new ByteArrayOutputStream();
        state.save(Channels.newChannel(file));
        restored.load(Channels.newChannel(new ByteArrayInputStream(file.toByteArray())));
        for (LayerState each : new LayerState[] {state, fork, restored}) {
          for (int at = 100; at < 105; at++) {
            requireRow(expected, at, run.step(each, data, at, 1));
          }
          assertEquals(new Truncation.Done(), each.truncateTo(101)); // decoded rows did not count
          requireRow(expected, 101, run.step(each, data, 101, 1));
          assertTrue(each.truncateTo(50) instanceof Truncation.Refused);
          assertEquals(102, each.length());
        }
        byte[] bytes = file.toByteArray();
        for (int length = 0; length < bytes.length; length += 397) {
          var torn = Channels.newChannel(new ByteArrayInputStream(bytes, 0, length));
          assertThrows(IOException.class, () -> restored.load(torn));
          assertEquals(0, restored.length());
          assertEquals(0, restored.bytes());
        }
      }
      state.reset();
      requireRow(expected, 0, Arrays.copyOf(run.step(state, data, 0, 100), HEADS * DIM));
      state.close();
    }
  }

  private static void requireRow(float[] expected, int row, float[] actual) {
    int width = HEADS * DIM;
    assertArrayEquals(Arrays.copyOfRange(expected, row * width, (row + 1) * width), actual);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "act:beta=1.5",
        "act:tau=0.1;alpha=5",
        "act:heads=a",
        "act:spare=none",
        "act:heads=0/9",
        "act:gamma=1"
      })
  void refusesBadSettings(String option) {
    OptionSpec.parse(option);
    var refused =
        assertThrows(
            IllegalArgumentException.class, () -> new OperatorRun("reference", option).close());
    assertTrue(refused.getMessage().contains("act"), refused.getMessage());
  }

  @Test
  void refusesCachesThatDrop() {
    Data data = Data.random(TOKENS, 16);
    try (OperatorRun run =
            new OperatorRun("reference", "act", new Mask.Causal(), "sink-window:tokens=20+f32");
        LayerState state = run.layer.newState()) {
      run.step(state, data, 0, 50);
      var refused = assertThrows(IllegalStateException.class, () -> run.step(state, data, 50, 1));
      assertTrue(refused.getMessage().contains("attention"), refused.getMessage());
    }
  }
}
