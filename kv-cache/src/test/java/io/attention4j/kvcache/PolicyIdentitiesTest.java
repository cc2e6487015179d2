package io.attention4j.kvcache;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.kvcache.policy.Razor;
import io.attention4j.kvcache.policy.SnapKv;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The exact identities of the methods' specs, against attention written out in float64. */
class PolicyIdentitiesTest {
  private static final int QUERY_HEADS = 4;
  private static final int KV_HEADS = 2;
  private static final int DIM = 8;
  private static final int GROUP = QUERY_HEADS / KV_HEADS;
  private static final int PROMPT = 80;

  @TempDir private Path folder;

  private static PolicyRun open(String policy) {
    return open(policy, PolicyRun::random);
  }

  private static PolicyRun open(String policy, PolicyRun.Data data) {
    return new PolicyRun(policy + "+f32", QUERY_HEADS, KV_HEADS, DIM, data, 1, null);
  }

  /** Attention weights [row][key] of a query head over the first {@code keys} tokens. */
  private static double[][] weights(PolicyRun.Data data, int head, int keys) {
    float[][] q = new float[keys][QUERY_HEADS * DIM];
    float[][] k = new float[keys][KV_HEADS * DIM];
    for (int i = 0; i < keys; i++) {
      data.token(i, q[i], k[i], new float[KV_HEADS * DIM]);
    }
    double[][] weights = new double[keys][keys];
    for (int i = 0; i < keys; i++) {
      double sum = 0;
      for (int j = 0; j <= i; j++) {
        double dot = 0;
        for (int d = 0; d < DIM; d++) {
          dot += q[i][head * DIM + d] * (double) k[j][head / GROUP * DIM + d];
        }
        weights[i][j] = Math.exp((float) (1 / Math.sqrt(DIM)) * dot);
        sum += weights[i][j];
      }
      for (int j = 0; j <= i; j++) {
        weights[i][j] /= sum;
      }
    }
    return weights;
  }

  private static TreeSet<Long> best(double[] scores, int count) {
    List<Long> order = new ArrayList<>();
    for (long j = 0; j < scores.length; j++) {
      order.add(j);
    }
    order.sort(Comparator.comparingDouble((Long j) -> scores[j.intValue()]).reversed());
    return new TreeSet<>(order.subList(0, count));
  }

  private static TreeSet<Long> keptAfter(String policy, int head) {
    try (PolicyRun run = open(policy)) {
      run.run(run.newState(), PROMPT, 33, 0);
      return PolicyRun.positions(run.ragged(), head);
    }
  }

  @Test
  void snapKvWithKernelOneKeepsTheBestColumnMeansOfTheLastRows() {
    int window = 6;
    for (int kvHead = 0; kvHead < KV_HEADS; kvHead++) {
      double[] votes = new double[PROMPT];
      for (int h = kvHead * GROUP; h < (kvHead + 1) * GROUP; h++) {
        double[][] p = weights(PolicyRun::random, h, PROMPT);
        for (int j = 0; j < PROMPT - window; j++) {
          for (int i = PROMPT - window; i < PROMPT; i++) {
            votes[j] += p[i][j];
          }
        }
      }
      TreeSet<Long> expected = best(votes, 20 - window);
      for (long j = PROMPT - window; j < PROMPT; j++) {
        expected.add(j);
      }
      assertEquals(expected, keptAfter("snapkv:tokens=20;window=6;kernel=1", kvHead));
    }
  }

  @Test
  void poolingAveragesOverNeighboursWithZerosOutside() {
    double[] votes = new double[PROMPT];
    for (int h = 0; h < GROUP; h++) {
      double[][] p = weights(PolicyRun::random, h, PROMPT);
      for (int j = 0; j < PROMPT - 6; j++) {
        for (int i = PROMPT - 6; i < PROMPT; i++) {
          votes[j] += p[i][j];
        }
      }
    }
    double[] pooled = new double[PROMPT];
    for (int j = 0; j < PROMPT - 6; j++) {
      for (int i = Math.max(0, j - 2); i <= Math.min(PROMPT - 7, j + 2); i++) {
        pooled[j] += votes[i] / 5;
      }
    }
    TreeSet<Long> expected = best(pooled, 14);
    for (long j = PROMPT - 6; j < PROMPT; j++) {
      expected.add(j);
    }
    assertEquals(expected, keptAfter("snapkv:tokens=20;window=6;kernel=5", 0));
  }

  @Test
  void tovaKeepsWhatTheLastRowLooksAtOverAllHeads() {
    double[] scores = new double[PROMPT];
    for (int h = 0; h < QUERY_HEADS; h++) {
      double[][] p = weights(PolicyRun::random, h, PROMPT);
      for (int j = 0; j < PROMPT; j++) {
        scores[j] += p[PROMPT - 1][j];
      }
    }
    scores[PROMPT - 1] = 1e9;
    assertEquals(best(scores, 20), keptAfter("tova:tokens=20", 0));
    assertEquals(best(scores, 20), keptAfter("tova:tokens=20", 1));
  }

  @Test
  void snapKvWithOneRowAndOneHeadIsTova() {
    for (int tokens : List.of(2, 17, 50)) {
      TreeSet<Long> snap = new TreeSet<>();
      TreeSet<Long> tova = new TreeSet<>();
      for (String policy : List.of("snapkv:window=1;kernel=1;tokens=", "tova:tokens=")) {
        try (PolicyRun run = new PolicyRun(policy + tokens + "+f32", 1, 1, DIM)) {
          run.run(run.newState(), PROMPT, PROMPT, 0);
          (policy.startsWith("tova") ? tova : snap).addAll(PolicyRun.positions(run.ragged(), 0));
        }
      }
      assertEquals(snap, tova);
    }
  }

  @Test
  void h2oKeepsTheHeaviestColumnsAndTheNewest() {
    for (int kvHead = 0; kvHead < KV_HEADS; kvHead++) {
      double[] sums = new double[PROMPT];
      for (int h = kvHead * GROUP; h < (kvHead + 1) * GROUP; h++) {
        double[][] p = weights(PolicyRun::random, h, PROMPT);
        for (int j = 0; j < PROMPT - 10; j++) {
          for (int i = 0; i < PROMPT; i++) {
            sums[j] += p[i][j];
          }
        }
      }
      TreeSet<Long> expected = best(sums, 10);
      for (long j = PROMPT - 10; j < PROMPT; j++) {
        expected.add(j);
      }
      assertEquals(expected, keptAfter("h2o:tokens=20", kvHead));
    }
  }

  @Test
  void adaKvWithFullSafeguardIsSnapKvAndSharesTheBudgetOtherwise() {
    for (int head = 0; head < KV_HEADS; head++) {
      assertEquals(
          keptAfter("snapkv:tokens=20;window=6", head),
          keptAfter("adakv:tokens=20;window=6;safeguard=1", head));
    }
    // Head 0 attends evenly, head 1 to few tokens only, so the shared budget goes to head 1's few
    // and then to head 0.
    PolicyRun.Data uneven =
        (position, q, k, v) -> {
          PolicyRun.random(position, q, k, v);
          for (int d = 0; d < DIM; d++) {
            k[d] = 0;
            k[DIM + d] = position % 20 == 3 ? 9 * Math.signum(1 + d) : 0;
          }
          Arrays.fill(q, 1);
        };
    try (PolicyRun run = open("adakv:tokens=20;window=4;kernel=1;safeguard=0.2", uneven)) {
      run.run(run.newState(), PROMPT, PROMPT, 0);
      int first = run.ragged().head(0).count();
      int second = run.ragged().head(1).count();
      assertEquals(2 * 20, first + second);
      assertTrue(first > 20 && second >= 4, first + " and " + second);
      assertTrue(PolicyRun.positions(run.ragged(), 1).containsAll(List.of(3L, 23L, 43L, 63L)));
    }
  }

  @Test
  void pyramidBudgetsFallLinearlyAndKeepTheSum() {
    SnapKv half = SnapKv.pyramid(OptionSpec.parse("pyramidkv:keep=0.5"), 32);
    long sum = 0;
    long before = Long.MAX_VALUE;
    for (int layer = 0; layer < 32; layer++) {
      long tokens = half.entries(shape(layer), 4096) / KV_HEADS;
      assertTrue(tokens <= before);
      before = tokens;
      sum += tokens;
      if (layer == 0) {
        assertEquals(3994, tokens);
      }
    }
    assertEquals(102, before);
    assertEquals(65_536, sum, 16);
    // Whatever the shape: from the budgets' ends, which the formula gives, on a straight line.
    for (int layers : List.of(2, 6, 16, 32)) {
      for (double keep : List.of(0.3, 0.5, 0.7)) {
        for (int beta : List.of(2, 4, 20)) {
          for (int tokens : List.of(512, 921, 4096)) {
            requirePyramid(layers, keep, beta, tokens, 32);
          }
        }
      }
    }
    SnapKv quarter = SnapKv.pyramid(OptionSpec.parse("pyramidkv:keep=0.25"), 32);
    assertEquals(1024 * KV_HEADS, quarter.entries(shape(0), 4096)); // too steep: equal layers
    assertEquals(1024 * KV_HEADS, quarter.entries(shape(31), 4096));
  }

  private static void requirePyramid(int layers, double keep, int beta, int tokens, int window) {
    SnapKv policy =
        SnapKv.pyramid(
            OptionSpec.parse("pyramidkv:keep=" + keep + ";beta=" + beta + ";window=" + window),
            layers);
    double equal = (int) (tokens * keep); // C - w
    double least = equal / beta;
    double most = 2 * equal - least;
    if (most >= tokens - window) {
      most = tokens - window;
      least = 2 * equal - most;
    }
    boolean pyramid = tokens >= most && most >= least && least >= window;
    long sum = 0;
    for (int layer = 0; layer < layers; layer++) {
      double expected = pyramid ? most - layer * (most - least) / (layers - 1) : equal;
      long actual = policy.entries(shape(layer), tokens) / KV_HEADS;
      assertEquals(expected, actual, 0.5 + 1e-9, policy + ", layer " + layer);
      sum += actual;
    }
    assertEquals(layers * equal, sum, layers / 2.0 + 1e-9);
  }

  private static LayerShape shape(int layer) {
    return new LayerShape(
        layer,
        QUERY_HEADS,
        KV_HEADS,
        DIM,
        DIM,
        1,
        new Mask.Causal(),
        List.of(),
        List.of(),
        null,
        1 << 16);
  }

  @Test
  void expectedAttentionOfOneRepeatedQueryIsItsSoftmax() {
    PolicyRun.Data same =
        (position, q, k, v) -> {
          PolicyRun.random(position, q, k, v);
          float[] ignored = new float[v.length];
          PolicyRun.random(4711, q, new float[k.length], ignored);
        };
    double[] scores = new double[PROMPT];
    double[][] norms = new double[PROMPT][KV_HEADS];
    for (int j = 0; j < PROMPT; j++) {
      float[] v = new float[KV_HEADS * DIM];
      same.token(j, new float[QUERY_HEADS * DIM], new float[KV_HEADS * DIM], v);
      for (int d = 0; d < DIM; d++) {
        norms[j][0] += v[d] * (double) v[d];
      }
    }
    for (int h = 0; h < GROUP; h++) {
      double[][] p = weights(same, h, PROMPT);
      for (int j = 0; j < PROMPT; j++) {
        scores[j] += p[PROMPT - 1][j] * Math.sqrt(norms[j][0]);
      }
    }
    scores[PROMPT - 1] = 1e9;
    try (PolicyRun run = open("expected-attention:tokens=20;sinks=0", same)) {
      run.run(run.newState(), PROMPT, 27, 0);
      assertEquals(best(scores, 20), PolicyRun.positions(run.ragged(), 0));
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "sink-window:tokens=9",
        "snapkv:tokens=9;window=4",
        "adakv:tokens=9;window=4",
        "tova:tokens=9",
        "h2o:tokens=9",
        "expected-attention:tokens=9",
        "razor:file=HEADS;buffer=9;compression=20;induction=0"
      })
  void equalValuesStayTheOutputWhateverIsDropped(String policy) throws IOException {
    PolicyRun.Data constant =
        (position, q, k, v) -> {
          PolicyRun.random(position, q, k, v);
          Arrays.fill(v, 0.75f);
        };
    try (PolicyRun run = open(policy.replace("HEADS", heads().toString()), constant)) {
      for (float[] row : run.run(run.newState(), PROMPT, 33, 10)) {
        for (float value : row) {
          assertEquals(0.75f, value, 1e-6f); // rounding of the mean of equal numbers
        }
      }
    }
  }

  @Test
  void aWindowIsASinkWindowWithoutSinks() {
    assertEquals(keptAfter("sink-window:tokens=20;sinks=0", 0), keptAfter("window:tokens=20", 0));
  }

  /**
   * Dropping fills holes from the end, so what stays is not in the order of its positions; the
   * attention is that over the tokens kept in any order, here written out in float64.
   */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "sink-window:tokens=20;sinks=3",
        "snapkv:tokens=20;window=6",
        "tova:tokens=20",
        "h2o:tokens=20",
        "speckv:tokens=20;window=6",
        "expected-attention:tokens=20"
      })
  void theOrderOfWhatIsKeptDoesNotMatter(String policy) {
    try (PolicyRun run = open(policy)) {
      LayerState state = run.newState();
      run.run(state, PROMPT, 33, 0);
      int outOfOrder = 0;
      List<List<Long>> kept = new ArrayList<>();
      for (int head = 0; head < KV_HEADS; head++) {
        List<Long> stored = new ArrayList<>();
        for (int entry = 0; entry < run.ragged().head(head).count(); entry++) {
          long position = run.ragged().head(head).position(entry);
          outOfOrder += !stored.isEmpty() && stored.getLast() > position ? 1 : 0;
          stored.add(position);
        }
        stored.add((long) PROMPT);
        kept.add(stored);
      }
      assertTrue(outOfOrder > 0, "the entries are in order");
      float[] actual = run.step(state, PROMPT, PROMPT + 1, false)[0];
      for (int head = 0; head < QUERY_HEADS; head++) {
        List<Long> ascending = new ArrayList<>(new TreeSet<>(kept.get(head / GROUP)));
        for (List<Long> order : List.of(ascending, ascending.reversed())) {
          double[] expected = attention(head, order);
          for (int d = 0; d < DIM; d++) {
            // sums of 21 numbers in another order, in float64, then rounded to f32
            assertEquals(expected[d], actual[head * DIM + d], 1e-6);
          }
        }
      }
    }
  }

  /** The attention of the newest token's query head over tokens in this order. */
  private static double[] attention(int head, List<Long> tokens) {
    float[] q = new float[QUERY_HEADS * DIM];
    float[] k = new float[KV_HEADS * DIM];
    float[] v = new float[KV_HEADS * DIM];
    PolicyRun.random(PROMPT, q, k, v);
    float[] query = q.clone();
    double[] out = new double[DIM];
    double sum = 0;
    for (long token : tokens) {
      PolicyRun.random((int) token, q, k, v);
      double dot = 0;
      for (int d = 0; d < DIM; d++) {
        dot += query[head * DIM + d] * (double) k[head / GROUP * DIM + d];
      }
      double weight = Math.exp((float) (1 / Math.sqrt(DIM)) * dot);
      sum += weight;
      for (int d = 0; d < DIM; d++) {
        out[d] += weight * v[head / GROUP * DIM + d];
      }
    }
    for (int d = 0; d < DIM; d++) {
      out[d] /= sum;
    }
    return out;
  }

  // Razor

  private Path heads() throws IOException {
    Path file = folder.resolve("heads.tsv");
    Files.writeString(file, "[induction]\n0.5 0.1\n[echo]\n0 0\n");
    return file;
  }

  private String razor(String settings) throws IOException {
    return "razor:file=" + heads() + ";" + settings;
  }

  /** Tokens from 4 to 59 share key and value, so the summary of what is dropped is exact. */
  private static void sameMiddle(int position, float[] q, float[] k, float[] v) {
    PolicyRun.random(position, q, k, v);
    if (position >= 4 && position < 60) {
      PolicyRun.random(10_000, new float[q.length], k, v);
    }
  }

  @Test
  void theSummaryOfIdenticalTokensIsExactAndNeedsTheirNumber() throws IOException {
    // 56 tokens are dropped; what follows must be as if they were there.
    String settings = "induction=0;buffer=20;compression=1000;sinks=4";
    try (PolicyRun dense = open("full", PolicyIdentitiesTest::sameMiddle);
        PolicyRun razor = open(razor(settings), PolicyIdentitiesTest::sameMiddle);
        PolicyRun unweighted =
            open(razor(settings + ";summary=unweighted"), PolicyIdentitiesTest::sameMiddle)) {
      dense.run(dense.newState(), PROMPT, PROMPT, 0);
      LayerState denseState = dense.newState();
      dense.run(denseState, PROMPT, PROMPT, 0);
      LayerState state = razor.newState();
      razor.run(state, PROMPT, PROMPT, 0);
      assertEquals(24, razor.ragged().head(0).count());
      LayerState plain = unweighted.newState();
      unweighted.run(plain, PROMPT, PROMPT, 0);
      float[] expected = dense.step(denseState, PROMPT, PROMPT + 1, false)[0];
      // log N_d is rounded to f32, and so is the mean of 56 equal numbers
      assertArrayEquals(expected, razor.step(state, PROMPT, PROMPT + 1, false)[0], 2e-6f);
      float[] without = unweighted.step(plain, PROMPT, PROMPT + 1, false)[0];
      double difference = 0;
      for (int i = 0; i < expected.length; i++) {
        difference = Math.max(difference, Math.abs(expected[i] - without[i]));
      }
      assertTrue(difference > 0.01, "without log N_d: " + difference);
    }
  }

  @Test
  void oneDroppedTokenIsExactWhateverItIs() throws IOException {
    try (PolicyRun dense = open("full");
        PolicyRun razor = open(razor("induction=0;buffer=75;compression=1000;sinks=4"))) {
      LayerState expected = dense.newState();
      dense.run(expected, PROMPT, PROMPT, 0);
      LayerState state = razor.newState();
      razor.run(state, PROMPT, PROMPT, 0);
      assertEquals(PROMPT - 1, razor.ragged().head(1).count());
      // the same numbers in another order of summation, in float64, then rounded to f32
      assertArrayEquals(
          dense.step(expected, PROMPT, PROMPT + 1, false)[0],
          razor.step(state, PROMPT, PROMPT + 1, false)[0],
          1e-7f);
    }
  }

  @Test
  void streamedSummariesAreTheMeansOfAllDroppedTokens() throws IOException {
    String settings = "induction=0;buffer=10;compression=4;sinks=3";
    try (PolicyRun streamed = open(razor(settings));
        PolicyRun whole = open(razor(settings))) {
      streamed.run(streamed.newState(), 20, 20, PROMPT - 20);
      RaggedKvCache a = streamed.ragged();
      whole.run(whole.newState(), PROMPT, PROMPT, 0);
      RaggedKvCache b = whole.ragged();
      for (int head = 0; head < KV_HEADS; head++) {
        assertEquals(PolicyRun.positions(b, head), PolicyRun.positions(a, head));
        float[] x = new float[DIM];
        float[] y = new float[DIM];
        SlotReader reader = new SlotReader(a.room().device());
        reader.key(a.summaries().page(head), 0, x);
        reader.key(b.summaries().page(head), 0, y);
        assertArrayEquals(y, x, 1e-6f); // sums in another order
        reader.value(a.summaries().page(head), 0, x);
        reader.value(b.summaries().page(head), 0, y);
        assertArrayEquals(y, x, 1e-6f);
        int dropped = PROMPT - PolicyRun.positions(a, head).size();
        assertEquals(57, dropped); // 3 sinks and max(10, 80 / 4) recent ones stay
        assertEquals((float) Math.log(dropped), a.summaries().page(head).bias()[0]);
      }
    }
  }

  @Test
  void onlyCompressedHeadsDrop() throws IOException {
    try (PolicyRun run = open(razor("induction=0.5;buffer=10;compression=4"))) {
      run.run(run.newState(), PROMPT, PROMPT, 0);
      assertEquals(PROMPT, run.ragged().head(0).count());
      assertEquals(4 + 20, run.ragged().head(1).count());
      assertTrue(run.ragged().summaries().page(0) == null);
    }
  }

  @Test
  void atPaperSettingsRazorPromisesWhatTheSpecSays() throws IOException {
    boolean[][] marks = new boolean[1][20];
    marks[0][3] = true;
    marks[0][7] = true;
    marks[0][11] = true; // 15 %
    LayerShape layer =
        new LayerShape(
            0, 20, 20, 64, 64, 1, new Mask.Causal(), List.of(), List.of(), null, 1 << 16);
    Razor six = new Razor(marks, null, 4, 4000, 6, true, true);
    assertTrue(six.entries(layer, 32_768) <= 0.30 * 20 * 32_768);
    Razor five = new Razor(marks, null, 4, 4000, 5, true, true);
    assertEquals(0.32, five.entries(layer, 32_768) / (20.0 * 32_768), 0.001);
  }

  @Test
  void alibiHeadsKeepTheirReach() throws IOException {
    // slope 1/8, |Wq Wk'| 0.5, |gamma|^2 4, |beta|^2 0, eps 1e-3: (4 + 6.9078) * 8
    assertEquals(87.26, Razor.alibiReach(0.125, 0.5, 4, 0, 1e-3), 0.01);
    Path file = folder.resolve("reach.tsv");
    Files.writeString(file, "[induction]\n0 0\n[echo]\n0 0\n[reach]\n30 1000\n");
    String option = "razor:file=" + file + ";induction=0;echo=0;buffer=10;compression=1000";
    try (PolicyRun run = open(option)) {
      run.run(run.newState(), PROMPT, PROMPT, 0);
      assertEquals(4 + 30, run.ragged().head(0).count());
      assertEquals(PROMPT, run.ragged().head(1).count());
    }
  }

  @Test
  void headFilesNameTheirMistake() throws IOException {
    record Case(String content, String expected) {}
    for (Case c :
        List.of(
            new Case("", "lists no heads"),
            new Case("1 2\n3\n", "1 and 2 heads"),
            new Case("1 x\n", "line 1: 'x' is not a number"),
            new Case("1 NaN\n", "not a finite number"),
            new Case("[echo]\n1 2\n", "no table [induction]"),
            new Case("[induction]\n1 2 3\n[echo]\n1 2 3\n", "1 layers of 3 KV heads"))) {
      Path file = folder.resolve("bad.tsv");
      Files.writeString(file, c.content);
      IllegalArgumentException thrown =
          assertThrows(
              IllegalArgumentException.class,
              () -> {
                try (PolicyRun run = open("razor:file=" + file)) {
                  run.newState();
                }
              });
      assertTrue(thrown.getMessage().contains(c.expected), thrown.getMessage());
    }
    assertThrows(IllegalArgumentException.class, () -> open("razor:file=" + folder.resolve("no")));
  }
}
