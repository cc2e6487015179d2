package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.Mask;
import io.attention4j.sparse.OperatorRun.Data;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Combiner against its formula in float64, region by region. */
class CombinerTest {
  private static final int TOKENS = 67;
  private static final float TOLERANCE = 4e-6f;
  private static final double SCALE = (float) (1 / Math.sqrt(OperatorRun.HEAD_DIM));

  /** Where a row looks: tokens directly, and regions through summaries. */
  private record View(int[] direct, List<int[]> regions) {}

  @FunctionalInterface
  private interface Views {
    View of(int row, int tokens);
  }

  static List<Arguments> causal() {
    List<Arguments> all = new ArrayList<>();
    for (String kernels : List.of("reference", "cpu.scalar", "cpu.simd")) {
      for (int s : new int[] {1, 4, 8, 13, 70}) {
        all.add(
            arguments(
                kernels, "combiner:type=fixed;segment=" + s, (i, n) -> fixed(i, n, s, false)));
        all.add(
            arguments(
                kernels, "combiner:type=axial;segment=" + s, (i, n) -> axial(i, n, s, false)));
      }
      all.add(arguments(kernels, "combiner:type=logsparse", (i, n) -> logsparse(i)));
    }
    return all;
  }

  static List<Arguments> bidirectional() {
    List<Arguments> all = new ArrayList<>();
    for (String kernels : List.of("reference", "cpu.simd")) {
      for (int s : new int[] {1, 4, 13, 70}) {
        all.add(
            arguments(kernels, "combiner:type=fixed;segment=" + s, (i, n) -> fixed(i, n, s, true)));
        all.add(
            arguments(kernels, "combiner:type=axial;segment=" + s, (i, n) -> axial(i, n, s, true)));
      }
    }
    return all;
  }

  private static Arguments arguments(String kernels, String option, Views views) {
    return Arguments.of(kernels, option, views);
  }

  private static View fixed(int i, int n, int s, boolean bidirectional) {
    int a = i / s;
    int end = bidirectional ? Math.min(n, (a + 1) * s) : i + 1;
    List<int[]> regions = new ArrayList<>();
    for (int r = 0; r * s < n; r++) {
      if (bidirectional ? r != a : r < a) {
        regions.add(IntStream.range(r * s, Math.min(n, (r + 1) * s)).toArray());
      }
    }
    return new View(IntStream.range(a * s, end).toArray(), regions);
  }

  /** Every level, as the spec puts it. */
  private static View logsparse(int i) {
    List<Integer> direct = new ArrayList<>(List.of(i));
    List<int[]> regions = new ArrayList<>();
    for (int c = 1; c <= i; c *= 2) {
      int t = Math.floorDiv(i - c, c);
      if (t % 2 == 0) {
        if (c == 1) {
          direct.add(t);
        } else {
          regions.add(IntStream.range(t * c, (t + 1) * c).toArray());
        }
      }
    }
    return new View(direct.stream().mapToInt(j -> j).toArray(), regions);
  }

  private static View axial(int i, int n, int s, boolean bidirectional) {
    int a = i / s;
    int u = i % s;
    List<Integer> direct = new ArrayList<>();
    List<int[]> regions = new ArrayList<>();
    for (int j = 0; j < n; j++) {
      boolean sameSegment = j / s == a && (bidirectional || j <= i);
      boolean sameColumn = j % s == u && j / s != a && (bidirectional || j < i);
      if (sameSegment || sameColumn) {
        direct.add(j);
      }
    }
    int segments = Math.ceilDiv(n, s);
    for (int column = 0; column < s; column++) {
      int c = column;
      if (c != u) {
        add(regions, IntStream.range(0, a).map(t -> t * s + c).filter(j -> j < n));
        if (bidirectional) {
          add(regions, IntStream.range(a + 1, segments).map(t -> t * s + c).filter(j -> j < n));
        }
      }
    }
    for (int t = 0; t < (bidirectional ? segments : a); t++) {
      int end = Math.min(n, (t + 1) * s);
      // A last segment that is not full has parts beside its own columns only.
      if (t != a && u > 0 && t * s + u - 1 < end) {
        add(regions, IntStream.range(t * s, t * s + u));
      }
      if (t != a && u < s - 1) {
        add(regions, IntStream.range(t * s + u + 1, end));
      }
    }
    return new View(direct.stream().mapToInt(j -> j).toArray(), regions);
  }

  private static void add(List<int[]> regions, IntStream tokens) {
    int[] region = tokens.toArray();
    if (region.length > 0) {
      regions.add(region);
    }
  }

  private static float[] expected(Data data, Views views) {
    int n = data.tokens();
    float[] out = new float[data.q().length];
    for (int i = 0; i < n; i++) {
      View view = views.of(i, n);
      for (int h = 0; h < OperatorRun.QUERY_HEADS; h++) {
        double[] q = query(data, i, h);
        List<double[]> keys = new ArrayList<>();
        List<double[]> values = new ArrayList<>();
        for (int j : view.direct) {
          keys.add(vector(data.k(), j, h));
          values.add(vector(data.v(), j, h));
        }
        for (int[] region : view.regions) {
          double[] keyMax = filled();
          double[] queryMax = filled();
          for (int j : region) {
            raise(keyMax, vector(data.k(), j, h));
            raise(queryMax, query(data, j, h));
          }
          List<double[]> regionKeys = new ArrayList<>();
          List<double[]> regionValues = new ArrayList<>();
          for (int j : region) {
            regionKeys.add(vector(data.k(), j, h));
            regionValues.add(vector(data.v(), j, h));
          }
          keys.add(keyMax);
          values.add(attention(queryMax, regionKeys, regionValues));
        }
        double[] row = attention(q, keys, values);
        for (int d = 0; d < OperatorRun.HEAD_DIM; d++) {
          out[(i * OperatorRun.QUERY_HEADS + h) * OperatorRun.HEAD_DIM + d] = (float) row[d];
        }
      }
    }
    return out;
  }

  private static double[] filled() {
    double[] x = new double[OperatorRun.HEAD_DIM];
    Arrays.fill(x, Double.NEGATIVE_INFINITY);
    return x;
  }

  private static void raise(double[] max, double[] x) {
    for (int d = 0; d < max.length; d++) {
      max[d] = Math.max(max[d], x[d]);
    }
  }

  private static double[] query(Data data, int token, int head) {
    double[] q = new double[OperatorRun.HEAD_DIM];
    for (int d = 0; d < q.length; d++) {
      q[d] = data.q()[(token * OperatorRun.QUERY_HEADS + head) * OperatorRun.HEAD_DIM + d];
    }
    return q;
  }

  private static double[] vector(float[] kv, int token, int head) {
    int kvHead = head / (OperatorRun.QUERY_HEADS / OperatorRun.KV_HEADS);
    double[] x = new double[OperatorRun.HEAD_DIM];
    for (int d = 0; d < x.length; d++) {
      x[d] = kv[(token * OperatorRun.KV_HEADS + kvHead) * OperatorRun.HEAD_DIM + d];
    }
    return x;
  }

  private static double[] attention(double[] q, List<double[]> keys, List<double[]> values) {
    double[] scores = new double[keys.size()];
    double max = Double.NEGATIVE_INFINITY;
    for (int j = 0; j < scores.length; j++) {
      for (int d = 0; d < q.length; d++) {
        scores[j] += q[d] * keys.get(j)[d] * SCALE;
      }
      max = Math.max(max, scores[j]);
    }
    double sum = 0;
    double[] out = new double[OperatorRun.HEAD_DIM];
    for (int j = 0; j < scores.length; j++) {
      double weight = Math.exp(scores[j] - max);
      sum += weight;
      for (int d = 0; d < out.length; d++) {
        out[d] += weight * values.get(j)[d];
      }
    }
    for (int d = 0; d < out.length; d++) {
      out[d] /= sum;
    }
    return out;
  }

  @ParameterizedTest
  @MethodSource("causal")
  void aCausalRowIsTheFormula(String kernels, String option, Views views) {
    Data data = Data.random(TOKENS, 2);
    try (OperatorRun run = new OperatorRun(kernels, option)) {
      float[] expected = expected(data, views);
      assertArrayEquals(expected, run.outputs(data, TOKENS), TOLERANCE);
      assertArrayEquals(expected, run.outputs(data, 1), TOLERANCE);
    }
  }

  @ParameterizedTest
  @MethodSource("bidirectional")
  void aRowOfABidirectionalLayerIsTheFormula(String kernels, String option, Views views) {
    Data data = Data.random(TOKENS, 3);
    try (OperatorRun run = new OperatorRun(kernels, option, new Mask.All(), "contiguous+f32")) {
      assertArrayEquals(expected(data, views), run.outputs(data, TOKENS), TOLERANCE);
    }
  }

  @Test
  void whatARowReadsIsExactlyThePast() {
    for (int i = 0; i < TOKENS; i++) {
      for (View view : List.of(fixed(i, TOKENS, 8, false), logsparse(i))) {
        BitSet seen = new BitSet();
        int count = view.direct.length + view.regions.stream().mapToInt(r -> r.length).sum();
        Arrays.stream(view.direct).forEach(seen::set);
        view.regions.forEach(region -> Arrays.stream(region).forEach(seen::set));
        assertEquals(i + 1, count, "a partition has no token twice");
        assertEquals(i + 1, seen.cardinality());
        assertEquals(i + 1, seen.length());
      }
      BitSet seen = new BitSet();
      View mixture = axial(i, TOKENS, 8, false);
      Arrays.stream(mixture.direct).forEach(seen::set);
      mixture.regions.forEach(region -> Arrays.stream(region).forEach(seen::set));
      assertEquals(i + 1, seen.cardinality());
      assertEquals(i + 1, seen.length());
    }
  }

  /** The value of a summary is the attention of that token's own query to its whole segment. */
  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.simd"})
  void aRowMajorRowReadsItsColumnOfEarlierSegments(String kernels) {
    Data data = Data.random(TOKENS, 4);
    int s = 8;
    float[] expected = new float[data.q().length];
    for (int i = 0; i < TOKENS; i++) {
      for (int h = 0; h < OperatorRun.QUERY_HEADS; h++) {
        List<double[]> keys = new ArrayList<>();
        List<double[]> values = new ArrayList<>();
        for (int j = i / s * s; j <= i; j++) {
          keys.add(vector(data.k(), j, h));
          values.add(vector(data.v(), j, h));
        }
        for (int j = i % s; j < i / s * s; j += s) {
          List<double[]> segmentKeys = new ArrayList<>();
          List<double[]> segmentValues = new ArrayList<>();
          for (int m = j / s * s; m < (j / s + 1) * s; m++) {
            segmentKeys.add(vector(data.k(), m, h));
            segmentValues.add(vector(data.v(), m, h));
          }
          keys.add(vector(data.k(), j, h));
          values.add(attention(query(data, j, h), segmentKeys, segmentValues));
        }
        double[] row = attention(query(data, i, h), keys, values);
        for (int d = 0; d < OperatorRun.HEAD_DIM; d++) {
          expected[(i * OperatorRun.QUERY_HEADS + h) * OperatorRun.HEAD_DIM + d] = (float) row[d];
        }
      }
    }
    try (OperatorRun run = new OperatorRun(kernels, "combiner:type=rowmajor;segment=8")) {
      assertArrayEquals(expected, run.outputs(data, TOKENS), TOLERANCE);
      assertArrayEquals(expected, run.outputs(data, 19, 1), TOLERANCE);
    }
  }

  @Test
  void logsparseOfABidirectionalLayerIsRefused() {
    Exception e =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                new OperatorRun(
                        "reference", "combiner:type=logsparse", new Mask.All(), "contiguous+f32")
                    .close());
    assertTrue(e.getMessage().contains("use type=fixed, axial or rowmajor"), e.getMessage());
  }

  @Test
  void aLayerWithAWindowIsRefused() {
    Exception e =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                new OperatorRun("reference", "combiner", new Mask.Window(9, 0), "contiguous+f32")
                    .close());
    assertTrue(e.getMessage().contains("use softmax there"), e.getMessage());
  }
}
