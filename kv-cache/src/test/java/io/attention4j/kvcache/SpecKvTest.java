package io.attention4j.kvcache;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.Truncation;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a draft's guesses make of a cache, against the paper's rule in float64. */
class SpecKvTest {
  private static final int QUERY_HEADS = 4;
  private static final int KV_HEADS = 2;
  private static final int DIM = 8;
  private static final int PROMPT = 80;
  private static final int AHEAD = 12;
  private static final int WINDOW = 6;
  private static final int KEPT = 24;
  private static final int KERNEL = 5;

  private static PolicyRun open(String policy) {
    return new PolicyRun(policy + "+paged:page=8+f32", QUERY_HEADS, KV_HEADS, DIM);
  }

  private static String speckv(int kept) {
    return "speckv:tokens=" + kept + ";window=" + WINDOW + ";kernel=" + KERNEL;
  }

  /** Reads prompt and guesses and goes back to before the prompt's last token. */
  private static LayerState read(PolicyRun run, int chunk) {
    LayerState state = run.newState();
    run.lookahead(AHEAD);
    run.run(state, PROMPT + AHEAD, chunk, 0);
    run.lookahead(0);
    assertEquals(new Truncation.Done(), state.truncateTo(PROMPT - 1));
    return state;
  }

  /** The highest weight that the voting rows of a group put on a key before them, pooled. */
  private static double[] importance(int kvHead) {
    int rows = WINDOW + AHEAD + 1;
    int first = PROMPT + AHEAD - rows;
    float[][] q = new float[PROMPT + AHEAD][QUERY_HEADS * DIM];
    float[][] k = new float[PROMPT + AHEAD][KV_HEADS * DIM];
    for (int at = 0; at < q.length; at++) {
      PolicyRun.random(at, q[at], k[at], new float[KV_HEADS * DIM]);
    }
    double[] highest = new double[first];
    int group = QUERY_HEADS / KV_HEADS;
    for (int row = first; row < q.length; row++) {
      for (int h = kvHead * group; h < (kvHead + 1) * group; h++) {
        double[] weights = new double[row + 1];
        double sum = 0;
        for (int key = 0; key <= row; key++) {
          double dot = 0;
          for (int d = 0; d < DIM; d++) {
            dot += q[row][h * DIM + d] * (double) k[key][kvHead * DIM + d];
          }
          weights[key] = Math.exp(dot * (float) (1 / Math.sqrt(DIM)));
          sum += weights[key];
        }
        for (int key = 0; key < first; key++) {
          highest[key] = Math.max(highest[key], weights[key] / sum);
        }
      }
    }
    double[] pooled = new double[first];
    for (int key = 0; key < first; key++) {
      for (int near = key - KERNEL / 2; near <= key + KERNEL / 2; near++) {
        pooled[key] =
            near < 0 || near >= first ? pooled[key] : Math.max(pooled[key], highest[near]);
      }
    }
    return pooled;
  }

  @ParameterizedTest
  @ValueSource(ints = {PROMPT + AHEAD, 37, 5})
  void keepsTheWindowAndTheMostImportantAndNoGuess(int chunk) {
    try (PolicyRun run = open(speckv(KEPT))) {
      LayerState state = read(run, chunk);
      assertEquals(PROMPT - 1, state.length());
      for (int head = 0; head < KV_HEADS; head++) {
        double[] importance = importance(head);
        TreeSet<Long> expected = new TreeSet<>();
        IntStream.range(0, importance.length)
            .boxed()
            .sorted(
                Comparator.<Integer>comparingDouble(key -> importance[key])
                    .thenComparing(key -> key)
                    .reversed())
            .limit(KEPT - WINDOW)
            .forEach(key -> expected.add((long) key));
        LongStream.range(PROMPT - 1 - WINDOW, PROMPT - 1).forEach(expected::add);
        assertEquals(KEPT, expected.size());
        assertEquals(expected, PolicyRun.positions(run.ragged(), head), "head " + head);
      }
    }
  }

  /** What was chosen has at least the importance of any other choice of as many. */
  @Test
  void noOtherChoiceIsMoreImportant() {
    SplittableRandom random = new SplittableRandom(4);
    try (PolicyRun run = open(speckv(KEPT))) {
      read(run, 37);
      for (int head = 0; head < KV_HEADS; head++) {
        double[] importance = importance(head);
        double chosen =
            PolicyRun.positions(run.ragged(), head).stream()
                .filter(at -> at < importance.length)
                .mapToDouble(at -> importance[at.intValue()])
                .sum();
        for (int i = 0; i < 50; i++) {
          double other =
              random
                  .ints(0, importance.length)
                  .distinct()
                  .limit(KEPT - WINDOW)
                  .mapToDouble(at -> importance[at])
                  .sum();
          assertTrue(chosen >= other - 1e-12);
        }
      }
    }
  }

  /** With room for all but the last prompt token nothing goes: what follows is dense. */
  @Test
  void roomForAllButTheLastTokenIsDense() {
    try (PolicyRun dense = open("full");
        PolicyRun run = open(speckv(PROMPT - 1))) {
      List<float[]> expected = dense.run(dense.newState(), PROMPT - 1, PROMPT, 9);
      LayerState state = read(run, 37);
      for (int head = 0; head < KV_HEADS; head++) {
        assertEquals(PROMPT - 1, run.ragged().head(head).count());
      }
      List<float[]> actual = run.decode(state, PROMPT - 1, PROMPT + 8);
      for (int i = 0; i < 9; i++) {
        assertArrayEquals(expected.get(PROMPT - 1 + i), actual.get(i));
      }
    }
  }

  /** Without guesses, with means, it is SnapKV's formula. */
  @Test
  void meansWithoutGuessesAreSnapKv() {
    String settings = ":tokens=24;window=6;kernel=5";
    try (PolicyRun snap = open("snapkv" + settings);
        PolicyRun run = open("speckv" + settings + ";reduce=mean;pool=mean")) {
      List<float[]> expected = snap.run(snap.newState(), PROMPT, 37, 10);
      List<float[]> actual = run.run(run.newState(), PROMPT, 37, 10);
      for (int row = 0; row < expected.size(); row++) {
        assertArrayEquals(expected.get(row), actual.get(row), "row " + row);
      }
    }
  }

  /** Going back behind what the decision was meant for is refused, as for every policy. */
  @Test
  void thereIsNoWayBackIntoThePrompt() {
    try (PolicyRun run = open(speckv(KEPT))) {
      LayerState state = read(run, 37);
      assertTrue(state.truncateTo(PROMPT - 2) instanceof Truncation.Refused);
      assertEquals(PROMPT - 1, state.length());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "speckv",
        "speckv:tokens=8;kernel=4",
        "speckv:tokens=8;reduce=sum",
        "specpc:tokens=8;window=9",
        "specpc:tokens=100;weighted=yes"
      })
  void refusesBadSettings(String option) {
    assertThrows(IllegalArgumentException.class, () -> open(option).close());
  }
}
