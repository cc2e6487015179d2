package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.operator.LayerState;
import io.attention4j.sparse.OperatorRun.Data;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The pages that Quest reads against a choice made plainly, in float64 from the whole data. */
class QuestTest {
  private static final int TOKENS = 150;
  private static final int PROMPT = 100;
  private static final float TOLERANCE = 4e-6f;

  private static float[] run(String kernels, String option, Data data) {
    int[] steps = new int[1 + TOKENS - PROMPT];
    Arrays.fill(steps, 1);
    steps[0] = PROMPT;
    try (OperatorRun run = new OperatorRun(kernels, option)) {
      return run.outputs(data, steps);
    }
  }

  @ParameterizedTest
  @CsvSource({"reference, 8", "cpu.simd, 8", "reference, 1", "cpu.simd, 16"})
  void decodingReadsThePagesWithTheHighestBounds(String kernels, int page) {
    Data data = Data.random(TOKENS, 31);
    int tokens = 4 * page;
    String option = "quest:page=" + page + ";tokens=" + tokens + ";dense=0";
    assertArrayEquals(
        OperatorRun.expected(data, (head, row, key) -> sees(data, page, head, row, key)),
        run(kernels, option, data),
        TOLERANCE);
  }

  private static boolean sees(Data data, int page, int kvHead, int row, int key) {
    int last = row / page;
    return key <= row
        && (row < PROMPT
            || last + 1 <= 4
            || key / page == last
            || best(data, page, kvHead, row, last).contains(key / page));
  }

  private static Set<Integer> best(Data data, int page, int kvHead, int row, int last) {
    return IntStream.range(0, last)
        .boxed()
        .sorted(Comparator.comparingDouble(b -> -bound(data, page, kvHead, row, b)))
        .limit(3)
        .collect(Collectors.toSet());
  }

  private static double bound(Data data, int page, int kvHead, int row, int block) {
    int group = OperatorRun.QUERY_HEADS / OperatorRun.KV_HEADS;
    double highest = Double.NEGATIVE_INFINITY;
    for (int h = kvHead * group; h < (kvHead + 1) * group; h++) {
      double bound = 0;
      double best = Double.NEGATIVE_INFINITY;
      double[] dots = new double[page];
      for (int d = 0; d < OperatorRun.HEAD_DIM; d++) {
        double q = data.q()[(row * OperatorRun.QUERY_HEADS + h) * OperatorRun.HEAD_DIM + d];
        double most = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < page; i++) {
          int key = block * page + i;
          double product =
              q * data.k()[(key * OperatorRun.KV_HEADS + kvHead) * OperatorRun.HEAD_DIM + d];
          dots[i] += product;
          most = Math.max(most, product);
        }
        bound += most;
      }
      for (double dot : dots) {
        best = Math.max(best, dot);
      }
      assertTrue(bound >= best - 1e-9, "a bound below a score");
      highest = Math.max(highest, bound);
    }
    return highest;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"quest:tokens=160;dense=0", "quest:page=4;tokens=16", "quest:page=1;tokens=150"})
  void allPagesAndFirstLayersAreDense(String option) {
    Data data = Data.random(TOKENS, 32);
    assertArrayEquals(run("reference", "softmax", data), run("reference", option, data), 0);
  }

  /** 1100 pages are more than a tile of bounds. */
  @ParameterizedTest
  @CsvSource({"cpu.simd, f32", "cpu.simd, f16", "cpu.simd, q8", "reference, f32"})
  void allNumbersOfThreadsChooseTheSame(String kernels, String codec) {
    Data data = Data.random(1120, 33);
    List<int[]> ofOne = chosen(kernels, 1, codec, data);
    for (int threads : new int[] {2, 3}) {
      List<int[]> others = chosen(kernels, threads, codec, data);
      assertEquals(ofOne.size(), others.size());
      for (int i = 0; i < ofOne.size(); i++) {
        assertArrayEquals(ofOne.get(i), others.get(i), threads + " threads, choice " + i);
      }
    }
  }

  /** Pages that the KV heads read in each step of decoding. */
  private static List<int[]> chosen(String kernels, int threads, String codec, Data data) {
    String option = "quest:page=1;tokens=40;dense=0";
    String cache = codec + "+paged:page=16";
    List<int[]> chosen = new ArrayList<>();
    try (OperatorRun run = new OperatorRun(kernels, threads, option, cache);
        LayerState state = run.layer.newState()) {
      run.step(state, data, 0, 1100);
      for (int token = 1100; token < data.tokens(); token++) {
        run.step(state, data, token, 1);
        for (int head = 0; head < OperatorRun.KV_HEADS; head++) {
          int[] pages = ((ChosenKeyBlocks) run.layer).keyBlocks(0, head, 0);
          assertEquals(40, pages.length);
          chosen.add(pages);
        }
      }
    }
    return chosen;
  }
}
