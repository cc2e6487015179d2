package io.attention4j.llm.recurrent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.recurrent.Gates;
import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.recurrent.SelectiveSsm;
import io.attention4j.engine.recurrent.layer.ApproximateLayer;
import io.attention4j.engine.recurrent.layer.ApproximateLayer.Denominator;
import io.attention4j.engine.recurrent.layer.AttentionWeights;
import io.attention4j.engine.recurrent.layer.LayerWeights;
import io.attention4j.engine.recurrent.layer.MetaMixerLayer;
import io.attention4j.engine.recurrent.layer.MirasLayer;
import io.attention4j.engine.recurrent.layer.MlpLayer;
import io.attention4j.engine.recurrent.layer.Projection;
import io.attention4j.engine.recurrent.layer.QuasiLstmLayer;
import io.attention4j.engine.recurrent.layer.SequenceLayer;
import io.attention4j.engine.recurrent.layer.SystemLayer;
import io.attention4j.engine.recurrent.layer.TitansLayer;
import io.attention4j.engine.recurrent.layer.TitansSettings;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.SplittableRandom;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Layers on F32 kernels against the float64 layers of engine-core, with the same weights and
 * tokens: in one call, which is prefill, and token by token.
 */
class RowLayersTest {
  private static final int TOKENS = 34;
  private static final int WIDTH = LayerRun.WIDTH;
  private static final int HEADS = LayerRun.HEADS;
  private static final LayerWeights WEIGHTS = LayerWeights.untrained(1, "layers.1.");

  /**
   * Untrained, Memora steps by 0.7 and errors grow with every token: in float64, inputs moved by
   * 2^-30 give outputs 1e-4 off after 33 tokens, and moved by 2^-20 some 0.3 to 0.5 (12 seeds).
   */
  private static final int MEMORA_TOKENS = 12;

  /** Sums of up to 128 products of numbers up to 1, each rounded to 2^-24 of its size. */
  private static final double SUMS = 2e-6;

  /** The same in Memora, whose LN divides means of distributions by a deviation of some 1 / 20. */
  private static final double MEANS = 4e-5;

  /**
   * How much inputs are moved to see what a layer makes of small errors: f32 rounds to 2^-24 some
   * tens of times between an input and an output. Memories amplify an error from token to token,
   * the more so untrained, and a quotient by a sum without a sign does too; this is the measure of
   * it.
   */
  private static final double MOVED = 0x1p-17;

  private static Map<String, Supplier<SequenceLayer>> layers() {
    Map<String, Supplier<SequenceLayer>> layers = new LinkedHashMap<>();
    layers.put("s6:seed=1", RowLayersTest::s6);
    layers.put("qlstm:seed=1", () -> new QuasiLstmLayer(WEIGHTS, WIDTH, OptionalDouble.empty()));
    for (Denominator denominator : Denominator.values()) {
      layers.put(
          "approximate:seed=1;denominator=" + lower(denominator).replace('_', '-'),
          () ->
              new ApproximateLayer(
                  AttentionWeights.load(WEIGHTS, WIDTH, HEADS), denominator, 1e-12));
    }
    layers.put("mlp:seed=1", () -> MlpLayer.load(WEIGHTS, WIDTH, WIDTH));
    layers.put("metamixer:seed=1", () -> MetaMixerLayer.load(WEIGHTS, WIDTH, 7, 3));
    for (TitansLayer.Kind kind : TitansLayer.Kind.values()) {
      TitansSettings settings = new TitansSettings(WIDTH, HEADS, 2, 4, true, 4, 0.1, 2, 6);
      layers.put(
          "titans." + lower(kind) + ":seed=1;chunk=4;persistent=2;window=6",
          () -> new TitansLayer(kind, settings, WEIGHTS));
    }
    for (MirasLayer.Kind kind : MirasLayer.Kind.values()) {
      layers.put(
          "miras." + lower(kind) + ":seed=1;chunk=4;rank=3",
          () -> new MirasLayer(kind, WIDTH, HEADS, 3, 4, WEIGHTS));
    }
    return layers;
  }

  private static String lower(Enum<?> kind) {
    return kind.name().toLowerCase(Locale.ROOT);
  }

  /** Head by head: x is v, b is k, c is q. */
  private static SequenceLayer s6() {
    AttentionWeights loaded = AttentionWeights.load(WEIGHTS, WIDTH, HEADS);
    int dim = LayerRun.DIM;
    Projection steps =
        new Projection(WEIGHTS.rows("w_dt", WIDTH, WIDTH), WEIGHTS.values("dt_bias", WIDTH));
    Rows a = WEIGHTS.rows("A_log", WIDTH, dim).map(value -> -Math.exp(value));
    double[] through = WEIGHTS.values("D", WIDTH);
    return new SystemLayer(
        new AttentionWeights(HEADS, loaded.q(), loaded.k(), loaded.v(), loaded.o(), 1),
        (hidden, head, q, k, v) -> {
          Rows all = steps.apply(hidden).map(Gates::softplus);
          double[] own = new double[hidden.tokens() * dim];
          for (int t = 0; t < hidden.tokens(); t++) {
            System.arraycopy(all.values(), t * WIDTH + head * dim, own, t * dim, dim);
          }
          Rows d = new Rows(Arrays.copyOfRange(through, head * dim, (head + 1) * dim), dim);
          Rows ofHead = a.slice(head * dim, (head + 1) * dim);
          return SelectiveSsm.system(v, k, q, new Rows(own, dim), ofHead, d);
        });
  }

  private static Rows wide(float[] values) {
    double[] doubles = new double[values.length];
    for (int i = 0; i < doubles.length; i++) {
      doubles[i] = values[i];
    }
    return new Rows(doubles, WIDTH);
  }

  @TestFactory
  Stream<DynamicTest> prefillAndDecodingAreTheFloat64Layer() {
    return Stream.of("reference", "cpu.scalar", "cpu.simd")
        .flatMap(
            kernels ->
                layers().entrySet().stream()
                    .map(
                        entry ->
                            DynamicTest.dynamicTest(
                                kernels + " " + entry.getKey(),
                                () -> check(kernels, entry.getKey(), entry.getValue()))));
  }

  private static void check(String kernels, String option, Supplier<SequenceLayer> layer) {
    try (LayerRun run = new LayerRun(kernels, option, TOKENS);
        LayerState prefilled = run.newState();
        LayerState decoded = run.newState()) {
      Rows hidden = wide(run.hidden);
      Rows expected = output(layer.get(), hidden);
      double sums = option.startsWith("miras.memora") ? MEANS : SUMS;
      double[] bounds = bounds(expected, output(layer.get(), moved(hidden)), sums);
      int tokens = option.startsWith("miras.memora") ? MEMORA_TOKENS : TOKENS;
      requireClose(expected, run.attend(prefilled, 0, tokens), 0, bounds);
      for (int t = 0; t < tokens; t++) {
        requireClose(expected, run.attend(decoded, t, t + 1), t, bounds);
      }
    }
  }

  private static Rows output(SequenceLayer layer, Rows hidden) {
    return layer.run(hidden, hidden, layer.newState());
  }

  /** Every element a little larger or smaller. */
  private static Rows moved(Rows hidden) {
    SplittableRandom random = new SplittableRandom(13);
    return hidden.map(x -> x * (1 + (random.nextBoolean() ? MOVED : -MOVED)));
  }

  /** What each token may be off: the rounding of sums, and what moved inputs did up to it. */
  private static double[] bounds(Rows expected, Rows moved, double sums) {
    double[] bounds = new double[TOKENS];
    double largest = 1;
    double most = 0;
    for (int i = 0; i < expected.values().length; i++) {
      largest = Math.max(largest, Math.abs(expected.values()[i]));
      most = Math.max(most, Math.abs(expected.values()[i] - moved.values()[i]));
      bounds[i / WIDTH] = sums * largest + most;
    }
    return bounds;
  }

  private static void requireClose(Rows expected, float[] actual, int from, double[] bounds) {
    for (int i = 0; i < actual.length; i++) {
      assertTrue(Float.isFinite(actual[i]), "element " + i);
      int token = from + i / WIDTH;
      double value = expected.values()[from * WIDTH + i];
      assertEquals(value, actual[i], bounds[token], "token " + token + ", element " + i % WIDTH);
    }
  }
}
