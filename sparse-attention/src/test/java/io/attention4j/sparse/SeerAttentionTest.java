package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.spi.RopeSpec.Layout;
import io.attention4j.sparse.OperatorRun.Data;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Both gates against the equations, computed plainly from queries and keys before rotation. */
class SeerAttentionTest {
  private static final int TOKENS = 117;
  private static final int BLOCK = 8;
  private static final int HEADS = OperatorRun.QUERY_HEADS;
  private static final int KV_HEADS = OperatorRun.KV_HEADS;
  private static final int DIM = OperatorRun.HEAD_DIM;
  private static final float TOLERANCE = 6e-6f;
  private static final String GATE = "model.layers.1.self_attn.attn_gate.";

  private static OperatorRun run(String kernels, String option, Layout layout) {
    return run(kernels, option, layout, TestWeights.gates());
  }

  private static OperatorRun run(
      String kernels, String option, Layout layout, TestWeights weights) {
    return new OperatorRun(
        kernels, option, new Mask.Causal(), "paged:page=16+f32", layout, weights);
  }

  @ParameterizedTest
  @CsvSource({
    "reference,threshold=0.08;last=0,true",
    "cpu.scalar,threshold=0.08;last=2,true",
    "cpu.simd,threshold=0.08;last=0,false",
    "cpu.simd,k=4;last=1,true",
    "reference,density=0.3;last=0,false",
    "cpu.simd,density=0.3;last=2,true"
  })
  void thePrefillGateChoosesByItsEquations(String kernels, String settings, boolean rotates) {
    Data data = Data.random(TOKENS, 71);
    Layout layout = rotates ? Layout.HALF_SPLIT : null;
    PrefillGate gate = new PrefillGate(data, rotates, settings);
    Map<List<Integer>, BitSet> known = new HashMap<>();
    Data seen = rotates ? data.rotated() : data;
    float[] expected =
        OperatorRun.expectedOfHeads(
            seen,
            (head, row, key) ->
                key <= row
                    && known
                        .computeIfAbsent(
                            List.of(head, row / BLOCK), at -> gate.chosen(head, row / BLOCK))
                        .get(key / BLOCK));
    try (OperatorRun run = run(kernels, "seer:gate=gates;block=8;" + settings, layout)) {
      float[] actual = run.outputs(data, TOKENS);
      assertArrayEquals(expected, actual, TOLERANCE);
      try (OperatorRun softmax = run(kernels, "softmax", layout)) {
        assertFalse(Arrays.equals(softmax.outputs(data, TOKENS), actual));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "reference,budget=24,true,true",
    "cpu.scalar,budget=24,true,false",
    "cpu.simd,budget=24,false,true",
    "cpu.simd,threshold=0.1,true,true"
  })
  void theDecodeGateChoosesByItsEquations(
      String kernels, String settings, boolean rotates, boolean normed) {
    Data data = Data.random(TOKENS, 72);
    Layout layout = rotates ? Layout.HALF_SPLIT : null;
    TestWeights weights = TestWeights.gates();
    if (!normed) {
      weights.without("gates", GATE + "attngate_qnorm.weight");
      weights.without("gates", GATE + "attngate_knorm.weight");
    }
    DecodeGate gate = new DecodeGate(data, rotates, normed, settings);
    Map<List<Integer>, BitSet> known = new HashMap<>();
    Data seen = rotates ? data.rotated() : data;
    float[] expected =
        OperatorRun.expected(
            seen,
            (kvHead, row, key) ->
                key <= row
                    && known
                        .computeIfAbsent(List.of(kvHead, row), at -> gate.chosen(kvHead, row))
                        .get(key / BLOCK));
    String option = "seer-decode:gate=gates;block=8;prefill=sparse;" + settings;
    try (OperatorRun run = run(kernels, option, layout, weights)) {
      assertArrayEquals(expected, run.outputs(data, TOKENS), TOLERANCE);
      assertArrayEquals(expected, run.outputs(data, 40, 1), TOLERANCE);
    }
  }

  @Test
  void prefillIsDenseAndDecodingSparseByDefault() {
    Data data = Data.random(TOKENS, 73);
    try (OperatorRun run = run("reference", "seer-decode:gate=gates;block=8;budget=16", null);
        OperatorRun sparse =
            run("reference", "seer-decode:gate=gates;block=8;budget=16;prefill=sparse", null);
        OperatorRun softmax = run("reference", "softmax", null)) {
      float[] actual = run.outputs(data, 80, 1);
      int at = 80 * HEADS * DIM;
      float[] dense = softmax.outputs(data, TOKENS);
      float[] chosen = sparse.outputs(data, TOKENS);
      assertArrayEquals(Arrays.copyOf(dense, at), Arrays.copyOf(actual, at), TOLERANCE);
      assertArrayEquals(
          Arrays.copyOfRange(chosen, at, chosen.length),
          Arrays.copyOfRange(actual, at, actual.length),
          TOLERANCE);
    }
  }

  @Test
  void decodingOfThePrefillGateIsDense() {
    Data data = Data.random(TOKENS, 74);
    try (OperatorRun run = run("reference", "seer:gate=gates;block=8;k=1;last=0", null);
        OperatorRun softmax = run("reference", "softmax", null)) {
      assertArrayEquals(softmax.outputs(data, TOKENS), run.outputs(data, 1), TOLERANCE);
    }
  }

  /** A model file that stores pairs as neighbours serves with a gate trained on halves. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "seer:gate=gates;block=8;k=2;last=0",
        "seer-decode:gate=gates;block=8;budget=16;prefill=sparse"
      })
  void theOrderOfPairsDoesNotMatter(String option) {
    Data halves = Data.random(TOKENS, 75);
    Data neighbours = new Data(neighbours(halves.q()), neighbours(halves.k()), halves.v());
    try (OperatorRun split = run("reference", option, Layout.HALF_SPLIT);
        OperatorRun interleaved = run("reference", option, Layout.INTERLEAVED)) {
      assertArrayEquals(
          split.outputs(halves, TOKENS), interleaved.outputs(neighbours, TOKENS), TOLERANCE);
    }
  }

  private static float[] neighbours(float[] x) {
    float[] y = new float[x.length];
    for (int at = 0; at < x.length; at += DIM) {
      for (int i = 0; i < DIM / 2; i++) {
        y[at + 2 * i] = x[at + i];
        y[at + 2 * i + 1] = x[at + i + DIM / 2];
      }
    }
    return y;
  }

  /** The released decoding rotates blocks that it completed itself to their last token. */
  @Test
  void blocksThatDecodingCompletesMayStandAtTheirLastToken() {
    Data data = Data.random(TOKENS, 76);
    String option = "seer-decode:gate=gates;block=8;budget=16;prefill=sparse;position=";
    try (OperatorRun first = run("reference", option + "first", Layout.HALF_SPLIT);
        OperatorRun completing = run("reference", option + "completing", Layout.HALF_SPLIT)) {
      assertArrayEquals(first.outputs(data, TOKENS), completing.outputs(data, TOKENS));
      assertFalse(Arrays.equals(first.outputs(data, 1), completing.outputs(data, 1)));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "seer:gate=none|needs the weight 'model.layers.1.self_attn.attn_gate.mask_linear_k.weight'",
        "seer:gate=narrow|[4, 24, 8] but narrow has [3, 24, 8]",
        "seer:gate=deep|of 8 elements, to rotate them alike, but deep has [4, 24, 16]",
        "seer-decode:gate=none|attngate_linear_k.weight', which none lacks",
      })
  void weightsOfAnotherModelAreRefused(String option, String sentence) {
    TestWeights weights =
        TestWeights.gates()
            .withRandom("narrow", GATE + "mask_linear_k.weight", 3, 24, 8)
            .withRandom("deep", GATE + "mask_linear_k.weight", 4, 24, 16);
    Exception e =
        assertThrows(
            IllegalArgumentException.class,
            () -> run("reference", option, Layout.HALF_SPLIT, weights).close());
    assertTrue(e.getMessage().contains(sentence), e.getMessage());
  }

  /** What both gates are made of, in float64. */
  private static double[] vector(float[] vectors, int heads, int token, int head) {
    double[] x = new double[DIM];
    for (int d = 0; d < DIM; d++) {
      x[d] = vectors[(token * heads + head) * DIM + d];
    }
    return x;
  }

  private static double[] pooledKeys(Data data, int kvHead, int block) {
    double[] pooled = new double[3 * DIM];
    Arrays.fill(pooled, 0, DIM, -1e9);
    Arrays.fill(pooled, DIM, 2 * DIM, 1e9);
    int end = Math.min(TOKENS, (block + 1) * BLOCK);
    for (int t = block * BLOCK; t < end; t++) {
      double[] key = vector(data.k(), KV_HEADS, t, kvHead);
      for (int d = 0; d < DIM; d++) {
        pooled[d] = Math.max(pooled[d], key[d]);
        pooled[DIM + d] = Math.min(pooled[DIM + d], key[d]);
        pooled[2 * DIM + d] += key[d] / (end - block * BLOCK);
      }
    }
    return pooled;
  }

  private static double[] times(double[] x, float[] weights, int from) {
    double[] y = new double[DIM];
    for (int i = 0; i < x.length; i++) {
      for (int j = 0; j < DIM; j++) {
        y[j] += x[i] * weights[from + i * DIM + j];
      }
    }
    return y;
  }

  private static double[] rotated(double[] x, int position, boolean rotates) {
    double[] y = x.clone();
    for (int i = 0; rotates && i < DIM / 2; i++) {
      double angle = position * OperatorRun.frequency(i);
      y[i] = x[i] * Math.cos(angle) - x[i + DIM / 2] * Math.sin(angle);
      y[i + DIM / 2] = x[i] * Math.sin(angle) + x[i + DIM / 2] * Math.cos(angle);
    }
    return y;
  }

  private static double[] normed(double[] x, float[] weights) {
    double rms = Math.sqrt(Arrays.stream(x).map(v -> v * v).sum() / DIM + 1e-6);
    double[] y = new double[DIM];
    for (int d = 0; d < DIM; d++) {
      y[d] = x[d] / rms * weights[d];
    }
    return y;
  }

  private static double dot(double[] a, double[] b) {
    double dot = 0;
    for (int d = 0; d < DIM; d++) {
      dot += a[d] * b[d];
    }
    return dot;
  }

  private static void choose(BitSet chosen, double[] scores, int blocks, String settings) {
    String[] setting = settings.split(";")[0].split("=");
    double value = Double.parseDouble(setting[1]);
    if (setting[0].equals("threshold")) {
      double sum = Arrays.stream(scores).map(Math::exp).sum();
      for (int b = 0; b < scores.length; b++) {
        if (Math.exp(scores[b]) / sum > value) {
          chosen.set(b);
        }
      }
      return;
    }
    int kept =
        switch (setting[0]) {
          case "density" -> (int) Math.max(1, Math.floor((1 - Math.sqrt(1 - value)) * blocks));
          case "budget" -> (int) value / BLOCK;
          default -> (int) value;
        };
    double[] sorted = scores.clone();
    Arrays.sort(sorted);
    for (int b = 0; b < scores.length; b++) {
      if (scores[b] >= sorted[Math.max(0, sorted.length - kept)]) {
        chosen.set(b);
      }
    }
  }

  private record PrefillGate(Data data, boolean rotates, String settings) {
    BitSet chosen(int head, int queryBlock) {
      BitSet chosen = new BitSet();
      int blocks = (TOKENS + BLOCK - 1) / BLOCK;
      int last = Integer.parseInt(settings.substring(settings.indexOf("last=") + 5));
      if (queryBlock >= blocks - last) {
        chosen.set(0, queryBlock + 1);
        return chosen;
      }
      float[] weights = TestWeights.gates().floats("gates", GATE + "mask_linear_k.weight");
      double[] query = new double[DIM];
      int end = Math.min(TOKENS, (queryBlock + 1) * BLOCK);
      for (int t = queryBlock * BLOCK; t < end; t++) {
        double[] q = vector(data.q(), HEADS, t, head);
        for (int d = 0; d < DIM; d++) {
          query[d] += q[d] / (end - queryBlock * BLOCK);
        }
      }
      query = rotated(query, queryBlock * BLOCK, rotates);
      double[] scores = new double[queryBlock + 1];
      for (int b = 0; b <= queryBlock; b++) {
        double[] key = times(pooledKeys(data, head / 2, b), weights, head * 3 * DIM * DIM);
        scores[b] = dot(query, rotated(key, b * BLOCK, rotates)) / Math.sqrt(DIM);
      }
      choose(chosen, scores, blocks, settings);
      chosen.set(queryBlock);
      return chosen;
    }
  }

  private record DecodeGate(Data data, boolean rotates, boolean normed, String settings) {
    BitSet chosen(int kvHead, int row) {
      TestWeights gates = TestWeights.gates();
      float[] queryWeights = gates.floats("gates", GATE + "attngate_linear_q.weight");
      float[] keyWeights = gates.floats("gates", GATE + "attngate_linear_k.weight");
      double[] query = new double[DIM];
      for (int g = 0; g < 2; g++) {
        double[] part =
            times(
                vector(data.q(), HEADS, row, 2 * kvHead + g),
                queryWeights,
                (2 * kvHead + g) * DIM * DIM);
        for (int d = 0; d < DIM; d++) {
          query[d] += part[d];
        }
      }
      if (normed) {
        query =
            SeerAttentionTest.normed(query, gates.floats("gates", GATE + "attngate_qnorm.weight"));
      }
      query = rotated(query, row, rotates);
      double[] scores = new double[(row + 1) / BLOCK];
      for (int b = 0; b < scores.length; b++) {
        double[] key = times(pooledKeys(data, kvHead, b), keyWeights, kvHead * 3 * DIM * DIM);
        if (normed) {
          key =
              SeerAttentionTest.normed(key, gates.floats("gates", GATE + "attngate_knorm.weight"));
        }
        scores[b] = dot(query, rotated(key, b * BLOCK, rotates)) / Math.sqrt(DIM);
      }
      BitSet chosen = new BitSet();
      if (scores.length > 0) {
        choose(chosen, scores, scores.length, settings);
      }
      chosen.set(0);
      chosen.set(row / BLOCK);
      return chosen;
    }
  }
}
