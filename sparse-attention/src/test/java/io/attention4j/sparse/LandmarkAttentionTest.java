package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.RopeSpec.Layout;
import io.attention4j.sparse.OperatorRun.Data;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Grouped softmax, choice and moved positions against the weight matrix written out. */
class LandmarkAttentionTest {
  private static final int TOKENS = 110;
  private static final int BLOCK = 8;
  private static final int HEADS = OperatorRun.QUERY_HEADS;
  private static final int KV_HEADS = OperatorRun.KV_HEADS;
  private static final int DIM = OperatorRun.HEAD_DIM;
  private static final float TOLERANCE = 6e-6f;

  private static OperatorRun run(String kernels, String option, Layout layout) {
    return new OperatorRun(
        kernels,
        "landmark:block=8;" + option,
        new Mask.Causal(),
        "paged:page=16+f32",
        layout,
        new TestWeights());
  }

  @ParameterizedTest
  @CsvSource({
    "reference,TOKEN,3,false",
    "cpu.scalar,TOKEN,3,false",
    "cpu.simd,TOKEN,3,false",
    "reference,HEADS,2,false",
    "cpu.simd,HEADS,2,false",
    "reference,CHUNK,2,false",
    "cpu.simd,CHUNK,2,false",
    "reference,TOKEN,100,false",
    "cpu.simd,TOKEN,100,false",
    "reference,TOKEN,3,true",
    "cpu.scalar,TOKEN,3,true",
    "cpu.simd,TOKEN,3,true",
    "reference,HEADS,2,true",
    "cpu.simd,CHUNK,2,true",
    "reference,TOKEN,0,true",
    "cpu.simd,TOKEN,100,true"
  })
  void outputsAreTheWeightsWrittenOut(
      String kernels, LandmarkAttention.Retrieval retrieval, int k, boolean stingy) {
    Data data = Data.random(TOKENS, 61);
    String option =
        "k=" + k + ";stingy=" + stingy + ";retrieval=" + retrieval.name().toLowerCase(Locale.ROOT);
    for (Layout layout : new Layout[] {null, Layout.HALF_SPLIT, Layout.INTERLEAVED}) {
      Grouped grouped = new Grouped(data, layout, k, stingy, retrieval, new HashMap<>());
      try (OperatorRun run = run(kernels, option, layout)) {
        float[] expected = grouped.outputs();
        assertArrayEquals(expected, run.outputs(data, TOKENS), TOLERANCE);
        if (retrieval != LandmarkAttention.Retrieval.CHUNK) {
          assertArrayEquals(expected, run.outputs(data, 50, 1), TOLERANCE);
        }
      }
    }
  }

  /** Blocks are moved only when there are more than k; scores then come from other loops. */
  @Test
  void movedPositionsAreTheTrueOnesWhileAllBlocksFit() {
    Data data = Data.random(6 * BLOCK + 3, 62);
    try (OperatorRun stingy = run("reference", "k=6;stingy=true", Layout.HALF_SPLIT);
        OperatorRun plain = run("reference", "k=6", Layout.HALF_SPLIT)) {
      assertArrayEquals(plain.outputs(data, 51), stingy.outputs(data, 51), TOLERANCE);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.scalar", "cpu.simd"})
  void weightsSumToOneAndLandmarksHaveNone(String kernels) {
    Data data = Data.random(TOKENS, 63);
    float[] ones = new float[data.v().length];
    Arrays.fill(ones, 1);
    float[] others = data.v().clone();
    int width = KV_HEADS * DIM;
    for (int t = BLOCK - 1; t < TOKENS; t += BLOCK) {
      Arrays.fill(others, t * width, (t + 1) * width, 1e20f);
    }
    try (OperatorRun run = run(kernels, "k=3", null)) {
      float[] expected = new float[data.q().length];
      Arrays.fill(expected, 1);
      assertArrayEquals(
          expected, run.outputs(new Data(data.q(), data.k(), ones), TOKENS), TOLERANCE);
      assertArrayEquals(
          run.outputs(data, TOKENS), run.outputs(new Data(data.q(), data.k(), others), TOKENS));
    }
  }

  /**
   * Where a landmark's score is the LSE of its block's scores, the result is softmax over all other
   * tokens. A landmark's key can be that for the two heads of its group in one row, the last.
   */
  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.scalar", "cpu.simd"})
  void landmarksThatWeighTheirBlocksGiveSoftmax(String kernels) {
    Data data = Data.random(TOKENS, 64);
    int last = TOKENS - 1;
    double scale = (float) (1 / Math.sqrt(DIM));
    for (int landmark = BLOCK - 1; landmark < TOKENS; landmark += BLOCK) {
      for (int kvHead = 0; kvHead < KV_HEADS; kvHead++) {
        double[][] q = {
          vector(data.q(), HEADS, last, 2 * kvHead), vector(data.q(), HEADS, last, 2 * kvHead + 1)
        };
        double[] wanted = new double[2];
        for (int i = 0; i < 2; i++) {
          double sum = 0;
          for (int t = landmark - BLOCK + 1; t < landmark; t++) {
            sum += Math.exp(scale * dot(q[i], vector(data.k(), KV_HEADS, t, kvHead)));
          }
          wanted[i] = Math.log(sum) / scale;
        }
        double a = dot(q[0], q[0]);
        double b = dot(q[0], q[1]);
        double c = dot(q[1], q[1]);
        double first = (wanted[0] * c - wanted[1] * b) / (a * c - b * b);
        double second = (wanted[1] * a - wanted[0] * b) / (a * c - b * b);
        for (int d = 0; d < DIM; d++) {
          data.k()[(landmark * KV_HEADS + kvHead) * DIM + d] =
              (float) (first * q[0][d] + second * q[1][d]);
        }
      }
    }
    float[] softmax =
        OperatorRun.expected(data, (row, key) -> key <= row && key % BLOCK != BLOCK - 1);
    try (OperatorRun run = run(kernels, "k=20", null)) {
      int from = last * HEADS * DIM;
      assertArrayEquals(
          Arrays.copyOfRange(softmax, from, from + HEADS * DIM),
          Arrays.copyOfRange(run.outputs(data, TOKENS), from, from + HEADS * DIM),
          TOLERANCE);
    }
  }

  @Test
  void aLayerWithAWindowIsRefused() {
    Exception e =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                new OperatorRun("reference", "landmark", new Mask.Window(9, 0), "paged+f32")
                    .close());
    assertTrue(e.getMessage().contains("use softmax there"), e.getMessage());
  }

  @Test
  void placesFollowAge() {
    LandmarkChoice choice =
        new LandmarkChoice(
            new LandmarkAttention.Options(8, 2, LandmarkAttention.Retrieval.TOKEN, false), 1);
    float[] scores = {1, 9, 3, 9, 8};
    choice.choose(
        1,
        5,
        (row, head, ofBlock) -> System.arraycopy(scores, 0, ofBlock, 0, scores.length),
        Parallel.single());
    assertEquals("[1, 3]", Arrays.toString(choice.of(0, 0)));
  }

  private static double[] vector(float[] vectors, int heads, int token, int head) {
    double[] x = new double[DIM];
    for (int d = 0; d < DIM; d++) {
      x[d] = vectors[(token * heads + head) * DIM + d];
    }
    return x;
  }

  private static double dot(double[] a, double[] b) {
    double dot = 0;
    for (int d = 0; d < DIM; d++) {
      dot += a[d] * b[d];
    }
    return dot;
  }

  private static double[] rotated(double[] vector, long position, Layout layout) {
    double[] x = vector.clone();
    for (int i = 0; layout != null && i < DIM / 2; i++) {
      int a = layout == Layout.INTERLEAVED ? 2 * i : i;
      int b = layout == Layout.INTERLEAVED ? 2 * i + 1 : i + DIM / 2;
      double angle = position * OperatorRun.frequency(i);
      x[a] = vector[a] * Math.cos(angle) - vector[b] * Math.sin(angle);
      x[b] = vector[a] * Math.sin(angle) + vector[b] * Math.cos(angle);
    }
    return x;
  }

  /** The specification, with keys that are moved rather than queries. */
  private record Grouped(
      Data data,
      Layout layout,
      int k,
      boolean stingy,
      LandmarkAttention.Retrieval retrieval,
      Map<List<Integer>, double[]> known) {
    float[] outputs() {
      float[] out = new float[data.q().length];
      for (int row = 0; row < TOKENS; row++) {
        for (int h = 0; h < HEADS; h++) {
          double[] weights = weights(row, h);
          for (int key = 0; key <= row; key++) {
            for (int d = 0; d < DIM; d++) {
              out[(row * HEADS + h) * DIM + d] +=
                  (float) (weights[key] * data.v()[(key * KV_HEADS + h / 2) * DIM + d]);
            }
          }
        }
      }
      return out;
    }

    private double[] weights(int row, int head) {
      int earlier = row / BLOCK;
      List<Integer> chosen = chosen(row, head);
      double[] weights = new double[row + 1];
      double[] landmark = new double[chosen.size()];
      double sum = 0;
      for (int r = 0; r < landmark.length; r++) {
        landmark[r] =
            Math.exp(
                score(
                    row,
                    head,
                    chosen.get(r) * BLOCK + BLOCK - 1,
                    place(earlier, chosen.get(r), r)));
        sum += landmark[r];
      }
      for (int key = earlier * BLOCK; key <= row; key++) {
        if (key % BLOCK != BLOCK - 1) {
          weights[key] = Math.exp(score(row, head, key, placesBefore(earlier)));
          sum += weights[key];
        }
      }
      for (int key = earlier * BLOCK; key <= row; key++) {
        weights[key] /= sum;
      }
      for (int r = 0; r < landmark.length; r++) {
        int first = chosen.get(r) * BLOCK;
        double ofBlock = 0;
        for (int key = first; key < first + BLOCK - 1; key++) {
          weights[key] = Math.exp(score(row, head, key, place(earlier, chosen.get(r), r)));
          ofBlock += weights[key];
        }
        for (int key = first; key < first + BLOCK - 1; key++) {
          weights[key] *= landmark[r] / sum / ofBlock;
        }
      }
      return weights;
    }

    /** Block places before the row's own block. */
    private int placesBefore(int earlier) {
      return stingy ? Math.min(earlier, k + 1) : earlier;
    }

    private int place(int earlier, int block, int r) {
      if (!stingy || earlier <= k) {
        return block;
      }
      return block >= earlier - k ? r + 1 : r;
    }

    /** Of a key whose block stands in a place. */
    private double score(int row, int head, int key, int place) {
      int earlier = row / BLOCK;
      double[] q =
          rotated(
              vector(data.q(), HEADS, row, head),
              placesBefore(earlier) * BLOCK + row % BLOCK,
              layout);
      double[] x =
          rotated(vector(data.k(), KV_HEADS, key, head / 2), place * BLOCK + key % BLOCK, layout);
      return dot(q, x) * (float) (1 / Math.sqrt(DIM));
    }

    private List<Integer> chosen(int row, int head) {
      int earlier = row / BLOCK;
      double[] best = new double[earlier];
      Arrays.fill(best, Double.NEGATIVE_INFINITY);
      switch (retrieval) {
        case TOKEN -> raise(best, scores(row, head));
        case HEADS -> IntStream.range(0, HEADS).forEach(h -> raise(best, softmax(scores(row, h))));
        case CHUNK ->
            IntStream.range(earlier * BLOCK, Math.min(TOKENS, (earlier + 1) * BLOCK))
                .forEach(other -> raise(best, softmax(scores(other, head))));
      }
      List<Integer> chosen =
          new ArrayList<>(
              IntStream.range(0, earlier)
                  .boxed()
                  .sorted(Comparator.comparingDouble(block -> -best[block]))
                  .limit(k)
                  .toList());
      chosen.sort(null);
      return chosen;
    }

    private static void raise(double[] best, double[] scores) {
      for (int b = 0; b < best.length; b++) {
        best[b] = Math.max(best[b], scores[b]);
      }
    }

    private static double[] softmax(double[] x) {
      double sum = Arrays.stream(x).map(Math::exp).sum();
      return Arrays.stream(x).map(value -> Math.exp(value) / sum).toArray();
    }

    /** Landmarks far away stand in place 0, the last k where they are. */
    private double[] scores(int row, int head) {
      return known.computeIfAbsent(List.of(row, head), at -> computed(row, head));
    }

    private double[] computed(int row, int head) {
      int earlier = row / BLOCK;
      double[] scores = new double[earlier];
      for (int b = 0; b < earlier; b++) {
        int place = b;
        if (stingy && earlier > k) {
          place = b < earlier - k ? 0 : k + 1 - (earlier - b);
        }
        scores[b] = score(row, head, b * BLOCK + BLOCK - 1, place);
      }
      return scores;
    }
  }
}
