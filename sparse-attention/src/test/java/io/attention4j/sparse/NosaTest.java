package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.sparse.OperatorRun.Data;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The two-stage choice, the token bias and the bound on what changes between steps. */
class NosaTest {
  private static final int TOKENS = 210;
  private static final int BLOCK = 8;
  private static final int HEADS = OperatorRun.QUERY_HEADS;
  private static final int KV_HEADS = OperatorRun.KV_HEADS;
  private static final int DIM = OperatorRun.HEAD_DIM;
  private static final float TOLERANCE = 6e-6f;
  private static final TestWeights GATES = TestWeights.gates();
  private static final String LAYER = "model.layers.1.self_attn.";

  /** Two of init and local, three of the query, eight in all; windows as in the released ratio. */
  private static final String SMALL =
      "nosa:gate=gates;block=8;kernel=4;stride=2;init=1;local=1;query=3;k=8";

  private static OperatorRun run(String kernels, String option, TestWeights weights) {
    return new OperatorRun(kernels, option, new Mask.Causal(), "paged:page=16+f32", null, weights);
  }

  @ParameterizedTest
  @CsvSource({"reference,3", "cpu.scalar,3", "cpu.simd,3", "cpu.simd,6", "reference,0"})
  void rowsReadTheBlocksOfBothStagesWithTheTokenBias(String kernels, int query) {
    Data data = Data.random(TOKENS, 81);
    String option = SMALL.replace("query=3", "query=" + query);
    Choice choice = new Choice(data, query);
    try (OperatorRun run = run(kernels, option, TestWeights.gates())) {
      float[] expected = biased(data, choice);
      assertArrayEquals(expected, run.outputs(data, TOKENS), TOLERANCE);
      assertArrayEquals(expected, run.outputs(data, 30, 1), TOLERANCE);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.scalar", "cpu.simd"})
  void allBlocksAreDenseWithTheBias(String kernels) {
    Data data = Data.random(TOKENS, 82);
    try (OperatorRun run = run(kernels, "nosa:gate=gates", TestWeights.gates());
        OperatorRun softmax = run(kernels, "softmax", TestWeights.gates())) {
      float[] actual = run.outputs(data, TOKENS);
      assertArrayEquals(biased(data, new Choice(data, -1)), actual, TOLERANCE);
      assertFalse(Arrays.equals(softmax.outputs(data, TOKENS), actual));
    }
  }

  /** The form of the released program: Attn(V e^c) / Attn(e^c), without a bias. */
  @Test
  void theBiasIsTheRatioOfTwoPasses() {
    Data data = Data.random(64, 83);
    Choice choice = new Choice(data, -1);
    float[] weightedV = data.v().clone();
    float[] weights = data.v().clone();
    for (int i = 0; i < weights.length; i++) {
      int token = i / (KV_HEADS * DIM);
      weights[i] = (float) Math.exp(choice.tokenScore(i / DIM % KV_HEADS, token));
      weightedV[i] *= weights[i];
    }
    try (OperatorRun run = run("reference", "nosa:gate=gates", TestWeights.gates());
        OperatorRun softmax = run("reference", "softmax", TestWeights.gates())) {
      float[] above = softmax.outputs(new Data(data.q(), data.k(), weightedV), 64);
      float[] below = softmax.outputs(new Data(data.q(), data.k(), weights), 64);
      float[] ratio = new float[above.length];
      for (int i = 0; i < ratio.length; i++) {
        ratio[i] = above[i] / below[i];
      }
      assertArrayEquals(ratio, run.outputs(data, 64), 2e-5f);
    }
  }

  /** Weights that are part of the model need no file. */
  @Test
  void missingWeightsAreNamed() {
    Exception e =
        assertThrows(
            IllegalArgumentException.class,
            () -> run("reference", "nosa", TestWeights.gates()).close());
    assertTrue(e.getMessage().contains("'self_attn.A', which the model lacks"), e.getMessage());
  }

  /** Within a block at most as many blocks are new as the query chooses. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 3, 6})
  void fewBlocksChangeBetweenSteps(int query) {
    Data data = Data.random(TOKENS, 84);
    String option = SMALL.replace("query=3", "query=" + query);
    int largest = 0;
    try (OperatorRun run = run("reference", option, TestWeights.gates());
        LayerState state = run.layer.newState()) {
      run.step(state, data, 0, 100);
      ChosenKeyBlocks layer = (ChosenKeyBlocks) run.layer;
      assertEquals(BLOCK, layer.keyBlockTokens());
      List<Set<Integer>> before = new ArrayList<>();
      for (int row = 100; row < TOKENS; row++) {
        run.step(state, data, row, 1);
        for (int h = 0; h < KV_HEADS; h++) {
          int[] blocks = layer.keyBlocks(0, h, 0);
          assertEquals(8, blocks.length);
          Set<Integer> now = Arrays.stream(blocks).boxed().collect(Collectors.toSet());
          if (before.size() > h && row % BLOCK != 0) {
            Set<Integer> fresh = new HashSet<>(now);
            fresh.removeAll(before.get(h));
            // A window that is complete now can raise the score of a block: one more.
            assertTrue(fresh.size() <= query + 1, fresh + " at " + row);
            largest = Math.max(largest, fresh.size());
          }
          if (before.size() > h) {
            before.set(h, now);
          } else {
            before.add(now);
          }
        }
      }
    }
    // The row's own block is one of those that the query would choose.
    assertTrue(query < 2 || largest > 0, "the choice never changed");
  }

  @Test
  void chosenBlocksOfAPrefillAreThoseOfItsRows() {
    Data data = Data.random(TOKENS, 85);
    Choice choice = new Choice(data, 3);
    try (OperatorRun run = run("reference", SMALL, TestWeights.gates());
        LayerState state = run.layer.newState()) {
      run.step(state, data, 0, TOKENS);
      for (int row : new int[] {0, 7, 8, 70, 130, TOKENS - 1}) {
        for (int h = 0; h < KV_HEADS; h++) {
          int[] expected = choice.blocks(h, row).stream().mapToInt(b -> b).sorted().toArray();
          assertArrayEquals(expected, ((ChosenKeyBlocks) run.layer).keyBlocks(0, h, row));
        }
      }
    }
  }

  /** With released sizes the windows of block t are 4 t - 1 to 4 t + 3. */
  @Test
  void windowsThatOverlapABlock() {
    Nosa.Options options = new Nosa.Options("", 64, 32, 16, 1, 16, 16, 64);
    assertEquals(0, options.firstWindow(0));
    assertEquals(3, options.lastWindow(0));
    assertEquals(4 * 9 - 1, options.firstWindow(9));
    assertEquals(4 * 9 + 3, options.lastWindow(9));
    assertEquals(0, options.windows(31));
    assertEquals(1, options.windows(32));
    assertEquals(1, options.windows(47));
    assertEquals(2, options.windows(48));
  }

  private static float[] biased(Data data, Choice choice) {
    float[] out = new float[data.q().length];
    for (int row = 0; row < data.tokens(); row++) {
      for (int h = 0; h < HEADS; h++) {
        Set<Integer> blocks = choice.blocks(h / 2, row);
        double sum = 0;
        double[] weighted = new double[DIM];
        for (int key = 0; key <= row; key++) {
          if (blocks.contains(key / BLOCK)) {
            double x = choice.dot(h, row, choice.key(h / 2, key)) + choice.tokenScore(h / 2, key);
            double weight = Math.exp(x);
            sum += weight;
            for (int d = 0; d < DIM; d++) {
              weighted[d] += weight * data.v()[(key * KV_HEADS + h / 2) * DIM + d];
            }
          }
        }
        for (int d = 0; d < DIM; d++) {
          out[(row * HEADS + h) * DIM + d] = (float) (weighted[d] / sum);
        }
      }
    }
    return out;
  }

  /** The choice of {@link #SMALL}, written out; query -1 chooses every block. */
  private record Choice(Data data, int query, Map<List<Integer>, Set<Integer>> known) {
    Choice(Data data, int query) {
      this(data, query, new HashMap<>());
    }

    double tokenScore(int kvHead, int token) {
      float[] a = GATES.floats("gates", LAYER + "A");
      float[] delta = GATES.floats("gates", LAYER + "delta.weight");
      double x = 0;
      for (int i = 0; i < KV_HEADS * DIM; i++) {
        x += delta[kvHead * KV_HEADS * DIM + i] * data.v()[token * KV_HEADS * DIM + i];
      }
      return a[kvHead] * Math.log(1 + Math.exp(x));
    }

    double[] key(int kvHead, int token) {
      double[] x = new double[DIM];
      for (int d = 0; d < DIM; d++) {
        x[d] = data.k()[(token * KV_HEADS + kvHead) * DIM + d];
      }
      return x;
    }

    double dot(int head, int row, double[] key) {
      double dot = 0;
      for (int d = 0; d < DIM; d++) {
        dot += data.q()[(row * HEADS + head) * DIM + d] * key[d];
      }
      return dot * (float) (1 / Math.sqrt(DIM));
    }

    Set<Integer> blocks(int kvHead, int row) {
      return known.computeIfAbsent(List.of(kvHead, row), at -> chosen(kvHead, row));
    }

    private Set<Integer> chosen(int kvHead, int row) {
      int own = row / BLOCK;
      Set<Integer> all = IntStream.rangeClosed(0, own).boxed().collect(Collectors.toSet());
      if (query < 0 || own < 8) {
        return all;
      }
      List<double[]> keys = new ArrayList<>();
      List<Double> scores = new ArrayList<>();
      for (int first = 0; first + 3 <= row; first += 2) {
        double[] mean = new double[DIM];
        double score = 0;
        for (int t = first; t < first + 4; t++) {
          double[] key = key(kvHead, t);
          for (int d = 0; d < DIM; d++) {
            mean[d] += key[d] / 4;
          }
          score += tokenScore(kvHead, t) / 4;
        }
        keys.add(mean);
        scores.add(score);
      }
      double[] shares = new double[keys.size()];
      for (int g = 0; g < 2; g++) {
        int head = 2 * kvHead + g;
        double sum = keys.stream().mapToDouble(key -> Math.exp(dot(head, row, key))).sum();
        for (int w = 0; w < shares.length; w++) {
          shares[w] += Math.exp(dot(head, row, keys.get(w))) / sum;
        }
      }
      double[] byQuery = new double[own + 1];
      double[] byToken = new double[own + 1];
      for (int b = 0; b <= own; b++) {
        boolean forced = b == 0 || b >= own - 1;
        byQuery[b] = forced ? Double.POSITIVE_INFINITY : Double.NEGATIVE_INFINITY;
        byToken[b] = byQuery[b];
        for (int w = 0; !forced && w < shares.length; w++) {
          if (2 * w < (b + 1) * BLOCK && 2 * w + 4 > b * BLOCK) {
            byQuery[b] = Math.max(byQuery[b], shares[w]);
            byToken[b] = Math.max(byToken[b], scores.get(w));
          }
        }
      }
      for (int b : best(all, byQuery, 2 + query)) {
        byToken[b] = Double.POSITIVE_INFINITY;
      }
      return Set.copyOf(best(all, byToken, 8));
    }

    private static List<Integer> best(Set<Integer> all, double[] score, int count) {
      return all.stream()
          .sorted(Comparator.<Integer>comparingDouble(b -> -score[b]).thenComparing(b -> b))
          .limit(count)
          .toList();
    }
  }
}
