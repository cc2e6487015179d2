package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.operator.Operators;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kvcache.KvCaches;
import io.attention4j.sparse.OperatorRun.Data;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.channels.Channels;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The identities of the specification, and the choice against one made plainly. */
class RoutingAttentionTest {
  private static final int TOKENS = 96;
  private static final int HEADS = OperatorRun.QUERY_HEADS;
  private static final int KV_HEADS = OperatorRun.KV_HEADS;
  private static final int DIM = OperatorRun.HEAD_DIM;
  private static final float TOLERANCE = 4e-6f;
  private static final String FILE = "centroids";
  private static final String PREFIX = "model.layers.1.self_attn.routing.";

  private static OperatorRun run(String kernels, String option, TestWeights weights) {
    return run(kernels, option, weights, new Mask.Causal());
  }

  private static OperatorRun run(String kernels, String option, TestWeights weights, Mask mask) {
    return new OperatorRun(kernels, "routing:" + option, mask, "paged:page=16+f32", null, weights);
  }

  private static void normalize(float[] vectors, double factor) {
    for (int from = 0; from < vectors.length; from += DIM) {
      double[] x = new double[DIM];
      for (int d = 0; d < DIM; d++) {
        x[d] = vectors[from + d];
      }
      RoutingAttention.Norm.LAYER.apply(x, 0, DIM);
      for (int d = 0; d < DIM; d++) {
        vectors[from + d] = (float) (x[d] * factor);
      }
    }
  }

  /** Data of which the expected attention has the scores of normalised vectors with scale 1. */
  private static Data layerNormed(Data data) {
    Data normed = new Data(data.q().clone(), data.k().clone(), data.v());
    normalize(normed.q(), Math.sqrt(DIM));
    normalize(normed.k(), 1);
    return normed;
  }

  private static float[] scaled(float[] values, double factor) {
    float[] scaled = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      scaled[i] = (float) (values[i] * factor);
    }
    return scaled;
  }

  @ParameterizedTest
  @CsvSource({
    "reference,1,0",
    "cpu.scalar,1,0.01",
    "cpu.simd,1,0.01",
    "reference,3,0.01",
    "cpu.simd,5,0"
  })
  void clustersOfAllTokensAreDenseOverNormalisedVectors(String kernels, int k, double eps) {
    Data data = Data.random(TOKENS, 41);
    String option = "norm=layer;tokens=96;clusters=" + k + ";eps=" + eps;
    for (boolean causal : new boolean[] {true, false}) {
      Mask mask = causal ? new Mask.Causal() : new Mask.All();
      float[] dense = OperatorRun.expected(layerNormed(data), (row, key) -> !causal || key <= row);
      try (OperatorRun run = run(kernels, option, new TestWeights(), mask)) {
        assertArrayEquals(scaled(dense, k / (k + eps)), run.outputs(data, TOKENS), TOLERANCE);
      }
    }
  }

  @Test
  void epsIsTheProgramsUnlessGiven() {
    Data data = Data.random(TOKENS, 42);
    float[] dense = OperatorRun.expected(layerNormed(data), (row, key) -> key <= row);
    try (OperatorRun run = run("reference", "norm=layer;clusters=1;tokens=96", new TestWeights())) {
      assertArrayEquals(scaled(dense, 1 / 1.01), run.outputs(data, TOKENS), TOLERANCE);
    }
  }

  /** Equal centroids give the same set in each cluster; others are in none. */
  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.scalar", "cpu.simd"})
  void tokensInNoClusterGetZero(String kernels) {
    int k = 3;
    int w = 20;
    Data data = sharedHeads(Data.random(TOKENS, 43));
    float[] means = new float[HEADS * k * DIM];
    for (int i = 0; i < means.length; i++) {
      means[i] = i % DIM == 2 ? 1 : 0;
    }
    TestWeights weights = new TestWeights().with(FILE, PREFIX + "means", means, HEADS, k, DIM);
    Choice choice = new Choice(data, means, k, w, TOKENS);
    float[] expected = new float[data.q().length];
    for (int h = 0; h < HEADS; h++) {
      int head = h;
      Set<Integer> keys = choice.keys(h, 0);
      float[] dense = OperatorRun.expected(data, (row, key) -> key <= row && keys.contains(key));
      for (int row : choice.queries(h, 0)) {
        // Sets of queries and keys differ: an earlier row may see no key of its cluster.
        if (keys.stream().anyMatch(key -> key <= row)) {
          int at = (row * HEADS + head) * DIM;
          System.arraycopy(scaled(dense, 3 / 3.5), at, expected, at, DIM);
        }
      }
    }
    try (OperatorRun run =
        run(kernels, "clusters=3;tokens=20;eps=0.5;centroids=" + FILE, weights)) {
      assertArrayEquals(expected, run.outputs(data, TOKENS), TOLERANCE);
    }
  }

  /** All heads of the same data, so that expectations need not differ by head. */
  private static Data sharedHeads(Data data) {
    Data shared = new Data(data.q().clone(), data.k().clone(), data.v().clone());
    share(shared.q(), HEADS);
    share(shared.k(), KV_HEADS);
    share(shared.v(), KV_HEADS);
    return shared;
  }

  private static void share(float[] values, int heads) {
    for (int row = 0; row < values.length / (heads * DIM); row++) {
      for (int h = 1; h < heads; h++) {
        System.arraycopy(values, row * heads * DIM, values, (row * heads + h) * DIM, DIM);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"reference,false", "cpu.simd,false", "reference,true", "cpu.simd,true"})
  void theMostSimilarTokensFormAClusterOfEveryHead(String kernels, boolean strict) {
    int k = 4;
    int w = 30;
    Data data = Data.random(TOKENS, 44);
    TestWeights weights = new TestWeights().withRandom(FILE, PREFIX + "means", HEADS, k, DIM);
    float[] means = weights.floats(FILE, PREFIX + "means");
    double[] sum = new double[data.q().length];
    int[] count = new int[TOKENS * HEADS];
    for (int h = 0; h < HEADS; h++) {
      int head = h;
      for (int c = 0; c < k; c++) {
        for (int row = 0; row < TOKENS; row++) {
          Choice choice = new Choice(data, means, k, w, strict ? row + 1 : TOKENS);
          Set<Integer> keys = choice.keys(h, c);
          int at = row;
          if (choice.queries(h, c).contains(row) && keys.stream().anyMatch(key -> key <= at)) {
            float[] dense =
                row(
                    data,
                    head,
                    row,
                    keys.stream().filter(key -> key <= at).mapToInt(i -> i).toArray());
            for (int d = 0; d < DIM; d++) {
              sum[(row * HEADS + h) * DIM + d] += dense[d];
            }
            count[row * HEADS + h]++;
          }
        }
      }
    }
    float[] expected = new float[sum.length];
    for (int i = 0; i < sum.length; i++) {
      expected[i] = count[i / DIM] == 0 ? 0 : (float) (sum[i] / count[i / DIM]);
    }
    String option = "clusters=4;tokens=30;eps=0;strict=" + strict + ";centroids=" + FILE;
    try (OperatorRun run = run(kernels, option, weights)) {
      assertArrayEquals(expected, run.outputs(data, TOKENS), TOLERANCE);
      if (strict) {
        try (OperatorRun decoding =
            run(kernels, "clusters=4;tokens=30;eps=0;centroids=" + FILE, weights)) {
          assertArrayEquals(expected, decoding.outputs(data, 1), TOLERANCE);
        }
      }
    }
  }

  /** One row of one head over some keys, in float64. */
  private static float[] row(Data data, int head, int row, int[] keys) {
    int kvHead = head / (HEADS / KV_HEADS);
    double[] weights = new double[keys.length];
    double sum = 0;
    for (int i = 0; i < keys.length; i++) {
      double dot = 0;
      for (int d = 0; d < DIM; d++) {
        dot +=
            (double) data.q()[(row * HEADS + head) * DIM + d]
                * data.k()[(keys[i] * KV_HEADS + kvHead) * DIM + d];
      }
      weights[i] = Math.exp(dot * (float) (1 / Math.sqrt(DIM)));
      sum += weights[i];
    }
    float[] out = new float[DIM];
    for (int d = 0; d < DIM; d++) {
      double weighted = 0;
      for (int i = 0; i < keys.length; i++) {
        weighted += weights[i] * data.v()[(keys[i] * KV_HEADS + kvHead) * DIM + d];
      }
      out[d] = (float) (weighted / sum);
    }
    return out;
  }

  /** Clusters among the first tokens, from the whole data. */
  private record Choice(Data data, float[] means, int k, int w, int tokens) {
    Set<Integer> keys(int head, int cluster) {
      int kvHead = head / (HEADS / KV_HEADS);
      return best(data.k(), KV_HEADS, kvHead, head, cluster);
    }

    Set<Integer> queries(int head, int cluster) {
      return best(data.q(), HEADS, head, head, cluster);
    }

    private Set<Integer> best(float[] vectors, int heads, int of, int head, int cluster) {
      return IntStream.range(0, tokens)
          .boxed()
          .sorted(
              Comparator.comparingDouble(
                  t -> -similarity(vectors, (t * heads + of) * DIM, head, cluster)))
          .limit(w)
          .collect(Collectors.toSet());
    }

    private double similarity(float[] vectors, int at, int head, int cluster) {
      double[] x = new double[DIM];
      for (int d = 0; d < DIM; d++) {
        x[d] = vectors[at + d];
      }
      RoutingAttention.Norm.UNIT.apply(x, 0, DIM);
      double dot = 0;
      for (int d = 0; d < DIM; d++) {
        dot += x[d] * means[(head * k + cluster) * DIM + d];
      }
      return dot;
    }
  }

  /** Tokens lie around two opposite directions, the centroids. */
  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.scalar", "cpu.simd"})
  void separatedClustersAreBlockDiagonal(String kernels) {
    Data data = Data.random(TOKENS, 45);
    for (int row = 0; row < TOKENS; row++) {
      float side = row * 7 % TOKENS < TOKENS / 2 ? 9 : -9;
      for (int h = 0; h < HEADS; h++) {
        data.q()[(row * HEADS + h) * DIM] = side;
      }
      for (int h = 0; h < KV_HEADS; h++) {
        data.k()[(row * KV_HEADS + h) * DIM] = side;
      }
    }
    float[] means = new float[HEADS * 2 * DIM];
    for (int i = 0; i < HEADS * 2; i++) {
      means[i * DIM] = i % 2 == 0 ? 1 : -1;
    }
    TestWeights weights = new TestWeights().with(FILE, PREFIX + "means", means, HEADS, 2, DIM);
    try (OperatorRun run = run(kernels, "clusters=2;tokens=48;eps=0;centroids=" + FILE, weights)) {
      float[] expected =
          OperatorRun.expected(
              data,
              (row, key) ->
                  key <= row && row * 7 % TOKENS < TOKENS / 2 == key * 7 % TOKENS < TOKENS / 2);
      assertArrayEquals(expected, run.outputs(data, TOKENS), TOLERANCE);
    }
  }

  @Test
  void theOrderOfCentroidsDoesNotMatter() {
    int k = 3;
    Data data = Data.random(TOKENS, 46);
    TestWeights weights = new TestWeights().withRandom(FILE, PREFIX + "means", HEADS, k, DIM);
    float[] means = weights.floats(FILE, PREFIX + "means");
    float[] rotated = new float[means.length];
    for (int h = 0; h < HEADS; h++) {
      for (int c = 0; c < k; c++) {
        System.arraycopy(means, (h * k + c) * DIM, rotated, (h * k + (c + 1) % k) * DIM, DIM);
      }
    }
    weights.with("rotated", PREFIX + "means", rotated, HEADS, k, DIM);
    try (OperatorRun one = run("reference", "clusters=3;tokens=40;centroids=" + FILE, weights);
        OperatorRun other = run("reference", "clusters=3;tokens=40;centroids=rotated", weights)) {
      assertArrayEquals(one.outputs(data, TOKENS), other.outputs(data, TOKENS), TOLERANCE);
    }
  }

  /** A window of blocks for the first heads, whatever the others do. */
  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.scalar", "cpu.simd"})
  void localHeadsReadTheirBlockAndTheOneBefore(String kernels) {
    Data data = Data.random(TOKENS, 47);
    float[] expected =
        OperatorRun.expected(data, (row, key) -> key <= row && row / 16 - key / 16 <= 1);
    try (OperatorRun run =
        run(kernels, "local=3;block=16;clusters=2;tokens=9", new TestWeights())) {
      for (int[] steps : new int[][] {{TOKENS}, {50, 1}, {7, 30, 2}}) {
        float[] actual = run.outputs(data, steps);
        for (int row = 0; row < TOKENS; row++) {
          int from = row * HEADS * DIM;
          assertArrayEquals(
              Arrays.copyOfRange(expected, from, from + 3 * DIM),
              Arrays.copyOfRange(actual, from, from + 3 * DIM),
              TOLERANCE);
        }
      }
    }
  }

  /** The bidirectional form has sets of queries and keys of their own and no mask. */
  @Test
  void aBidirectionalLayerReadsLaterKeysOfItsCluster() {
    Data data = Data.random(TOKENS, 48);
    TestWeights weights = new TestWeights().withRandom(FILE, PREFIX + "means", HEADS, 2, DIM);
    Choice choice = new Choice(data, weights.floats(FILE, PREFIX + "means"), 2, TOKENS, TOKENS);
    try (OperatorRun run =
        run("reference", "clusters=2;tokens=10;eps=0;centroids=" + FILE, weights, new Mask.All())) {
      float[] actual = run.outputs(data, TOKENS);
      Choice few = new Choice(data, choice.means(), 2, 10, TOKENS);
      for (int row = 0; row < TOKENS; row++) {
        boolean first = few.queries(1, 0).contains(row);
        boolean second = few.queries(1, 1).contains(row);
        if (first != second) {
          int[] keys = few.keys(1, first ? 0 : 1).stream().mapToInt(i -> i).sorted().toArray();
          int at = (row * HEADS + 1) * DIM;
          assertArrayEquals(
              row(data, 1, row, keys), Arrays.copyOfRange(actual, at, at + DIM), TOLERANCE);
        }
      }
    }
  }

  /** Online k-means moves centroids by its moving averages; what was saved goes on as it was. */
  @ParameterizedTest
  @ValueSource(strings = {"unit", "layer"})
  void learningGoesOnFromWhatWasSaved(String norm) {
    Data first = Data.random(TOKENS, 49);
    Data second = Data.random(TOKENS, 50);
    String option = "clusters=3;tokens=40;norm=" + norm + ";decay=0.9;learn=";
    TestWeights weights = new TestWeights();
    try (OperatorRun run = run("reference", option + "both", weights)) {
      run.outputs(first, TOKENS);
      run.outputs(second, TOKENS);
    }
    try (OperatorRun run = run("reference", option + "one", weights)) {
      run.outputs(first, TOKENS);
    }
    try (OperatorRun run = run("reference", option + "two;centroids=one", weights)) {
      run.outputs(second, TOKENS);
    }
    for (String name : new String[] {"means", "ema_count", "ema_means"}) {
      float[] both = weights.floats("both", PREFIX + name);
      assertArrayEquals(both, weights.floats("two", PREFIX + name), 1e-5f, name);
      double moved = 0;
      float[] one = weights.floats("one", PREFIX + name);
      for (int i = 0; i < one.length; i++) {
        moved += Math.abs(one[i] - both[i]);
      }
      assertTrue(moved > 0.1, name + " moved by " + moved);
    }
  }

  /** One step against the equations, from centroids that are given. */
  @Test
  void aStepOfLearningIsTheEquations() {
    int k = 2;
    Data data = Data.random(12, 51);
    TestWeights weights =
        new TestWeights()
            .withRandom(FILE, PREFIX + "means", HEADS, k, DIM)
            .with(FILE, PREFIX + "ema_count", new float[] {3, 1, 3, 1, 3, 1, 3, 1}, HEADS, k)
            .withRandom(FILE, PREFIX + "ema_means", HEADS, k, DIM);
    float[] means = weights.floats(FILE, PREFIX + "means");
    float[] sums = weights.floats(FILE, PREFIX + "ema_means");
    try (OperatorRun run =
        run("reference", "clusters=2;norm=layer;decay=0.75;learn=out;centroids=" + FILE, weights)) {
      run.outputs(data, 12);
    }
    int head = 2;
    double[] count = {0.75 * 3, 0.75};
    double[][] sum = new double[k][DIM];
    for (int c = 0; c < k; c++) {
      for (int d = 0; d < DIM; d++) {
        sum[c][d] = 0.75 * sums[(head * k + c) * DIM + d];
      }
    }
    Data normed = layerNormed(data);
    for (int t = 0; t < 24; t++) {
      double[] x = new double[DIM];
      double[] score = new double[k];
      for (int d = 0; d < DIM; d++) {
        x[d] =
            t < 12
                ? normed.q()[(t * HEADS + head) * DIM + d] / Math.sqrt(DIM)
                : normed.k()[((t - 12) * KV_HEADS + 1) * DIM + d];
        score[0] += x[d] * means[head * k * DIM + d];
        score[1] += x[d] * means[(head * k + 1) * DIM + d];
      }
      int c = score[1] > score[0] ? 1 : 0;
      count[c] += 0.25;
      for (int d = 0; d < DIM; d++) {
        sum[c][d] += 0.25 * x[d];
      }
    }
    double all = count[0] + count[1];
    float[] learned = weights.floats("out", PREFIX + "means");
    for (int c = 0; c < k; c++) {
      assertEquals(count[c], weights.floats("out", PREFIX + "ema_count")[head * k + c], 1e-5);
      for (int d = 0; d < DIM; d++) {
        double mean = sum[c][d] / ((count[c] + 1e-5) / (all + k * 1e-5) * all);
        assertEquals(mean, learned[(head * k + c) * DIM + d], 1e-5);
      }
    }
  }

  /** Tied, the model's keys do not matter: the normalised queries stand in their place. */
  @ParameterizedTest
  @CsvSource({"reference,LAYER", "cpu.scalar,LAYER", "cpu.simd,LAYER", "reference,UNIT"})
  void tiedKeysAreTheNormalisedQueries(String kernels, RoutingAttention.Norm norm) {
    int tokens = 40;
    Data data = Data.random(2 * tokens, 53); // the KV heads of two tokens are those of one here
    Data four = new Data(Arrays.copyOf(data.q(), data.q().length / 2), data.k(), data.v());
    float[] keys = four.q().clone();
    double[] x = new double[DIM];
    for (int at = 0; at < keys.length; at += DIM) {
      for (int d = 0; d < DIM; d++) {
        x[d] = keys[at + d];
      }
      norm.apply(x, 0, DIM);
      for (int d = 0; d < DIM; d++) {
        keys[at + d] = (float) x[d];
      }
    }
    String option =
        "routing:clusters=1;tokens=40;eps=0;tied=true;norm=" + norm.name().toLowerCase(Locale.ROOT);
    LayerShape grouped = OperatorRun.shape(new Mask.Causal());
    LayerShape shape =
        new LayerShape(
            1,
            HEADS,
            HEADS,
            DIM,
            DIM,
            grouped.scale(),
            grouped.mask(),
            List.of(),
            List.of(),
            null,
            4096);
    try (KernelSelector selector = KernelSelector.open(kernels, new DeviceOptions(1));
        Arena arena = Arena.ofConfined();
        AttentionLayer layer =
            new SparseOperators()
                .create(OptionSpec.parse(option))
                .open(
                    shape,
                    new OperatorContext(
                        selector,
                        new KvCaches().create("contiguous+f32", selector),
                        name -> Optional.empty(),
                        new Operators()));
        LayerState state = layer.newState()) {
      AttentionBatch batch = new AttentionBatch();
      batch.add(tokens, 0);
      LayerInputs inputs = new LayerInputs();
      inputs.batch(batch);
      inputs.layer(
          null,
          Tensor.ofFloats(arena, four.q(), tokens, HEADS, DIM),
          Tensor.ofFloats(arena, four.k(), tokens, HEADS, DIM),
          Tensor.ofFloats(arena, four.v(), tokens, HEADS, DIM),
          null);
      Tensor out = Tensor.allocate(arena, DType.F32, tokens, HEADS, DIM);
      layer.attend(new LayerState[] {state}, inputs, out);
      double scale = norm == RoutingAttention.Norm.LAYER ? 1 : grouped.scale();
      float[] queries = norm == RoutingAttention.Norm.LAYER ? keys : four.q();
      for (int row = 0; row < tokens; row++) {
        for (int h = 0; h < HEADS; h++) {
          assertArrayEquals(
              dense(queries, keys, four.v(), h, row, scale),
              Arrays.copyOfRange(
                  out.toFloats(), (row * HEADS + h) * DIM, (row * HEADS + h + 1) * DIM),
              TOLERANCE);
        }
      }
    }
  }

  /** One causal row where every query head has keys of its own. */
  private static float[] dense(float[] q, float[] k, float[] v, int head, int row, double scale) {
    double sum = 0;
    double[] weighted = new double[DIM];
    for (int key = 0; key <= row; key++) {
      double dot = 0;
      for (int d = 0; d < DIM; d++) {
        dot += (double) q[(row * HEADS + head) * DIM + d] * k[(key * HEADS + head) * DIM + d];
      }
      double weight = Math.exp(dot * scale);
      sum += weight;
      for (int d = 0; d < DIM; d++) {
        weighted[d] += weight * v[(key * HEADS + head) * DIM + d];
      }
    }
    float[] out = new float[DIM];
    for (int d = 0; d < DIM; d++) {
      out[d] = (float) (weighted[d] / sum);
    }
    return out;
  }

  @Test
  void aDamagedStateIsRefusedAndLeavesNothing() throws IOException {
    Data data = Data.random(TOKENS, 52);
    try (OperatorRun run = run("reference", "clusters=2;tokens=9", new TestWeights());
        LayerState state = run.layer.newState()) {
      run.step(state, data, 0, 50);
      ByteArrayOutputStream saved = new ByteArrayOutputStream();
      state.save(Channels.newChannel(saved));
      byte[] bytes = saved.toByteArray();
      byte[] cut = Arrays.copyOf(bytes, bytes.length - 3);
      assertThrows(
          IOException.class, () -> state.load(Channels.newChannel(new ByteArrayInputStream(cut))));
      assertEquals(0, state.length());
      bytes[1]++;
      assertThrows(
          IOException.class,
          () -> state.load(Channels.newChannel(new ByteArrayInputStream(bytes))));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "local=4|local=4 of 4 query heads, which leaves none to route; write local=3 or less",
        "tied=true|it has 2 for 4; write tied=false",
        "centroids=none|lacks",
        "clusters=5;centroids=centroids|[4, 5, 8] but centroids has [4, 3, 8]",
      })
  void whatDoesNotSuitTheLayerIsRefused(String option, String sentence) {
    TestWeights weights = new TestWeights().withRandom(FILE, PREFIX + "means", HEADS, 3, DIM);
    Exception e =
        assertThrows(
            IllegalArgumentException.class, () -> run("reference", option, weights).close());
    assertTrue(e.getMessage().contains(sentence), e.getMessage());
  }
}
