package io.attention4j.engine.recurrent.layer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.recurrent.Cases;
import io.attention4j.engine.recurrent.Rows;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** The layer types and layouts of "Deconstructing Attention". */
class DeconstructedTest {
  private static final int TOKENS = 11;

  /** Identity projections of the specs' q, k and v, side by side in one hidden state. */
  private static Rows hidden() {
    double[] values = new double[8 * 11];
    for (int t = 0; t < 8; t++) {
      System.arraycopy(Cases.q(8).values(), t * 4, values, t * 11, 4);
      System.arraycopy(Cases.k(8).values(), t * 4, values, t * 11 + 4, 4);
      System.arraycopy(Cases.v(8).values(), t * 3, values, t * 11 + 8, 3);
    }
    return new Rows(values, 11);
  }

  private static Projection select(int from, int count) {
    double[] weight = new double[11 * count];
    for (int i = 0; i < count; i++) {
      weight[(from + i) * count + i] = 1;
    }
    return new Projection(new Rows(weight, count));
  }

  private static AttentionWeights selecting() {
    double[] out = new double[3 * 11];
    for (int i = 0; i < 3; i++) {
      out[i * 11 + i] = 1;
    }
    return new AttentionWeights(
        1, select(0, 4), select(4, 4), select(8, 3), new Projection(new Rows(out, 11)), 0.5);
  }

  private static void assertGolden(SequenceLayer layer, double sum, double last) {
    Rows y = layer.run(hidden(), hidden(), layer.newState());
    assertEquals(sum, Cases.sum(y), 1e-12);
    assertEquals(last, y.at(7, 0), 1e-12);
  }

  @Test
  void goldenValues() {
    assertGolden(new NonApproximateLayer(selecting()), 2.644286578632, 0.053265930702);
    assertGolden(
        new ApproximateLayer(selecting(), ApproximateLayer.Denominator.COMMON, 0),
        1.873024054953,
        0.061545543328);
  }

  @Test
  void approximateIsItsQuadraticForm() {
    Rows y =
        new ApproximateLayer(selecting(), ApproximateLayer.Denominator.COMMON, 0)
            .run(hidden(), hidden(), new SequenceState(new double[15 * 4]));
    for (int i = 0; i < 8; i++) {
      double sum = 0;
      double weighted = 0;
      for (int j = 0; j <= i; j++) {
        double z = 0;
        for (int d = 0; d < 4; d++) {
          z += Cases.q(8).at(i, d) * Cases.k(8).at(j, d) / 2;
        }
        sum += 1 + z + z * z / 2;
        weighted += (1 + z + z * z / 2) * Cases.v(8).at(j, 1);
      }
      assertEquals(weighted / sum, y.at(i, 1), Cases.ROUNDING);
    }
  }

  @Test
  void theMeanOfTheOrdersIsThatOfTheirQuadraticForms() {
    Rows y =
        new ApproximateLayer(selecting(), ApproximateLayer.Denominator.PER_ORDER, 0)
            .run(hidden(), hidden(), new SequenceState(new double[15 * 4]));
    double[] sum = new double[3];
    double[] weighted = new double[3];
    for (int j = 0; j < 8; j++) {
      double z = 0;
      for (int d = 0; d < 4; d++) {
        z += Cases.q(8).at(7, d) * Cases.k(8).at(j, d) / 2;
      }
      double[] orders = {1, z, z * z / 2};
      for (int p = 0; p < 3; p++) {
        sum[p] += orders[p];
        weighted[p] += orders[p] * Cases.v(8).at(j, 2);
      }
    }
    double expected = (weighted[0] / sum[0] + weighted[1] / sum[1] + weighted[2] / sum[2]) / 3;
    assertEquals(expected, y.at(7, 2), 1e-12, "a sum over z near 0 amplifies rounding");
  }

  @Test
  void theStateOfNonApproximateOnlyGrowsItsDenominator() {
    NonApproximateLayer layer = new NonApproximateLayer(selecting());
    SequenceState state = layer.newState();
    double before = Double.NEGATIVE_INFINITY;
    for (int t = 0; t < 8; t++) {
      layer.run(hidden().slice(t, t + 1), hidden().slice(t, t + 1), state);
      assertTrue(state.part(0)[0] > before);
      before = state.part(0)[0];
    }
  }

  @Test
  void anMlpSeesItsTokenOnly() {
    SequenceLayer mlp = LayerCases.all().get("mlp");
    Rows x = LayerCases.tokens(TOKENS);
    Rows y = mlp.run(x, x, mlp.newState());
    Rows alone = mlp.run(x.slice(7, 8), x.slice(7, 8), mlp.newState());
    assertArrayEquals(y.slice(7, 8).values(), alone.values());
    assertEquals(0, mlp.newState().elements());
  }

  @Test
  void staticEmbeddingsAreStandardInTheFirstLayerOnly() {
    AttentionWeights first = LayerCases.attention(0.3);
    AttentionWeights second = LayerCases.attention(0.5);
    SequenceLayer fixedFirst =
        new SoftmaxLayer(first, SoftmaxLayer.Source.EMBEDDINGS, Integer.MAX_VALUE);
    SequenceLayer fixedSecond =
        new SoftmaxLayer(second, SoftmaxLayer.Source.EMBEDDINGS, Integer.MAX_VALUE);
    Rows x = LayerCases.tokens(TOKENS);
    Rows expected = run(List.of(SoftmaxLayer.standard(first)), x);
    assertArrayEquals(expected.values(), run(List.of(fixedFirst), x).values());
    Rows two = run(List.of(SoftmaxLayer.standard(first), SoftmaxLayer.standard(second)), x);
    Rows mixed = run(List.of(fixedFirst, fixedSecond), x);
    assertTrue(distance(two, mixed) > 1e-6, "far above rounding: " + distance(two, mixed));
  }

  private static Rows run(List<SequenceLayer> layers, Rows x) {
    LayerStack stack = new LayerStack(layers, false);
    return stack.run(x, stack.newStates());
  }

  private static double distance(Rows a, Rows b) {
    return IntStream.range(0, a.values().length)
        .mapToDouble(i -> Math.abs(a.values()[i] - b.values()[i]))
        .max()
        .orElseThrow();
  }

  private static LayerStack standard(int layers) {
    List<SequenceLayer> all = new ArrayList<>();
    for (int l = 0; l < layers; l++) {
      all.add(SoftmaxLayer.standard(LayerCases.attention(0.3 + 0.2 * l)));
    }
    return new LayerStack(all, true);
  }

  @Test
  void fixedMapsAreThoseOfTheStandardStackOnTheirSequence() {
    LayerStack standard = standard(4);
    Rows sequence = Cases.wave(0.9, TOKENS, LayerCases.WIDTH);
    LayerStack fixed = standard.withFixedMaps(l -> true, sequence);
    LayerStack hybrid = standard.withFixedMaps(l -> !HybridLayout.EVEN.isStandard(l, 4), sequence);
    Rows expected = standard.run(sequence, standard.newStates());
    Cases.assertClose(expected, fixed.run(sequence, fixed.newStates()), "on its own sequence");
    Cases.assertClose(expected, hybrid.run(sequence, hybrid.newStates()), "hybrid");
    Rows other = LayerCases.tokens(TOKENS);
    double distance =
        distance(standard.run(other, standard.newStates()), fixed.run(other, fixed.newStates()));
    assertTrue(distance > 1e-6, "far above rounding: " + distance);
  }

  @Test
  void aFixedMapOfAShorterSequenceIsItsCorner() {
    AttentionWeights weights = LayerCases.attention(0.3);
    Rows sequence = Cases.wave(0.9, TOKENS, LayerCases.WIDTH);
    double[] large = new FixedMapLayer(weights, sequence).map(1);
    double[] small = new FixedMapLayer(weights, sequence.slice(0, 5)).map(1);
    for (int t = 0; t < 5; t++) {
      double[] row = Arrays.copyOfRange(large, t * TOKENS, t * TOKENS + 5);
      assertArrayEquals(Arrays.copyOfRange(small, t * 5, t * 5 + 5), row);
      assertEquals(1, Arrays.stream(row).sum(), Cases.ROUNDING);
    }
  }

  @Test
  void aFixedMapIsLinearInTheValues() {
    SequenceLayer layer = LayerCases.all().get("fixed map");
    Rows x = LayerCases.tokens(TOKENS);
    Rows y = layer.run(x, x, layer.newState());
    Rows twice = layer.run(x.scaled(2), x, layer.newState());
    Cases.assertClose(y.scaled(2), twice, "linear");
    Rows longer = LayerCases.tokens(LayerCases.MAX_TOKENS + 1);
    String message =
        assertThrows(
                IllegalArgumentException.class, () -> layer.run(longer, longer, layer.newState()))
            .getMessage();
    assertTrue(message.startsWith("a sequence of 33 tokens is longer than the fixed one, 32"));
  }

  @Test
  void theLayoutsOfThePaper() {
    assertLayout(HybridLayout.EVEN, "2 4 6 8 10 12 14 16 18 20 22 24");
    assertLayout(HybridLayout.ODD, "1 3 5 7 9 11 13 15 17 19 21 23");
    assertLayout(HybridLayout.TOP, "1 2 3 4 5 6 7 8 9 10 11 12");
    assertLayout(HybridLayout.MIDDLE, "1 2 3 4 5 6 19 20 21 22 23 24");
    assertLayout(HybridLayout.BOTTOM, "13 14 15 16 17 18 19 20 21 22 23 24");
    assertLayout(HybridLayout.QUARTER, "4 8 12 16 20 24");
    assertLayout(HybridLayout.FIRST, "1");
    assertLayout(HybridLayout.LAST, "24");
    assertLayout(HybridLayout.BILATERAL, "1 24");
  }

  private static void assertLayout(HybridLayout layout, String standardFromOne) {
    TreeSet<Integer> found = new TreeSet<>();
    IntStream.range(0, 24)
        .filter(layer -> layout.isStandard(layer, 24))
        .forEach(layer -> found.add(layer + 1));
    TreeSet<Integer> expected = new TreeSet<>();
    Arrays.stream(standardFromOne.split(" ")).map(Integer::valueOf).forEach(expected::add);
    assertEquals(expected, found, layout.name());
  }

  @Test
  void weightsLoadByTheirNames() {
    Map<String, long[]> shapes =
        Map.of(
            "l.W_Q", new long[] {8, 8},
            "l.W_K", new long[] {8, 8},
            "l.W_V", new long[] {8, 8},
            "l.W_O", new long[] {8, 8},
            "l.W_gt", new long[] {8, 12},
            "l.W_up", new long[] {8, 12},
            "l.W_dn", new long[] {12, 8});
    try (Arena arena = Arena.ofConfined()) {
      LayerWeights weights = new LayerWeights(LayerCases.source(arena, shapes), "l.");
      SequenceLayer attention = SoftmaxLayer.standard(AttentionWeights.load(weights, 8, 2));
      Rows x = LayerCases.tokens(TOKENS);
      assertTrue(Double.isFinite(Cases.sum(attention.run(x, x, attention.newState()))));
      SequenceLayer mlp = MlpLayer.load(weights, 8, 12);
      assertTrue(Double.isFinite(Cases.sum(mlp.run(x, x, mlp.newState()))));
      assertEquals(
          "'l.W_Q' is F32[8, 8] but this layer needs [16, 16]",
          assertThrows(IllegalArgumentException.class, () -> AttentionWeights.load(weights, 16, 2))
              .getMessage());
      assertEquals(
          "the weights lack 'l.x.W_Q' [8, 8], which this layer computes with",
          assertThrows(
                  IllegalArgumentException.class,
                  () -> AttentionWeights.load(weights.under("x"), 8, 2))
              .getMessage());
    }
  }

  @Test
  void refusals() {
    AttentionWeights weights = LayerCases.attention(0.3);
    assertThrows(
        IllegalArgumentException.class,
        () -> new SoftmaxLayer(weights, SoftmaxLayer.Source.HIDDEN, 0));
    assertThrows(
        IllegalArgumentException.class,
        () ->
            new LayerStack(
                List.of(
                    SoftmaxLayer.standard(weights),
                    new BaseConvLayer(Cases.wave(0, 4, 3), LayerCases.projection(0, 4, 4))),
                false));
    assertThrows(
        IllegalArgumentException.class,
        () ->
            new LayerStack(LayerCases.all().values().stream().toList(), false)
                .withFixedMaps(l -> l == 3, LayerCases.tokens(4)));
    assertThrows(IllegalArgumentException.class, () -> HybridLayout.EVEN.isStandard(24, 24));
  }
}
