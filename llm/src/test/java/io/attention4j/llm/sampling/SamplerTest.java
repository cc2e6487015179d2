package io.attention4j.llm.sampling;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class SamplerTest {
  private static SamplingOptions.Builder plain() {
    return SamplingOptions.builder().temperature(1).topK(0).topP(1).minP(0);
  }

  private static float[] row(SplittableRandom random, int length, double spread) {
    float[] row = new float[length];
    for (int i = 0; i < length; i++) {
      row[i] = (float) (spread * random.nextGaussian());
    }
    return row;
  }

  static Stream<SamplingOptions> everyFilter() {
    SamplingOptions.Builder penalties =
        plain().repetitionPenalty(1.3).frequencyPenalty(0.4).presencePenalty(-0.2);
    return Stream.of(
            plain(),
            plain().temperature(0.3),
            plain().temperature(2.5),
            plain().topK(1),
            plain().topK(7),
            plain().topK(1000),
            plain().topP(0.01),
            plain().topP(0.5),
            plain().topP(0.99),
            plain().minP(0.02),
            plain().minP(1),
            plain().typicalP(0.2),
            plain().typicalP(0.9),
            plain().logitBias(Map.of(3, 4f, 5, Float.NEGATIVE_INFINITY, 0, -2.5f)),
            penalties.penaltyWindowTokens(-1),
            penalties.penaltyWindowTokens(5),
            SamplingOptions.builder(),
            SamplingOptions.builder().typicalP(0.8).topK(20).temperature(1.5),
            penalties.topK(12).typicalP(0.95).topP(0.9).minP(0.01).logitBias(Map.of(1, 3f)))
        .map(SamplingOptions.Builder::build);
  }

  /**
   * 20,000 draws per case. Set equality: nothing outside the reference's set is drawn, and
   * everything in it that 20,000 draws miss with a probability below 1e-9 is drawn. Probabilities:
   * chi-square over the tokens expected at least 5 times, bounded at df + 5 sqrt(2 df) + 10 (about
   * five standard deviations; the seed is fixed, so the verdict is too).
   */
  @ParameterizedTest
  @MethodSource("everyFilter")
  void drawsTheReferenceDistribution(SamplingOptions options) {
    SplittableRandom random = new SplittableRandom(options.toString().hashCode());
    float[] row = row(random, 61, 2);
    row[17] = Float.NEGATIVE_INFINITY;
    row[20] = row[21];
    List<Integer> history = random.ints(9, 0, 12).boxed().toList();
    Map<Integer, Double> expected = SamplerReference.distribution(row, options, history);
    Sampler sampler = new Sampler(options, row.length);
    history.forEach(sampler::accept);
    int draws = 20_000;
    int[] counts = new int[row.length];
    for (int i = 0; i < draws; i++) {
      counts[sampler.next(row.clone())]++;
    }
    double chiSquare = 0;
    int df = -1;
    for (int t = 0; t < row.length; t++) {
      double p = expected.getOrDefault(t, 0.0);
      if (p == 0) {
        assertEquals(0, counts[t], "token " + t + " is filtered out but was drawn");
      } else if (draws * p > 21) {
        assertTrue(counts[t] > 0, "token " + t + " with probability " + p + " was never drawn");
      }
      if (draws * p >= 5) {
        chiSquare += (counts[t] - draws * p) * (counts[t] - draws * p) / (draws * p);
        df++;
      }
    }
    assertTrue(
        chiSquare <= df + 5 * Math.sqrt(2.0 * Math.max(df, 0)) + 10,
        "chi-square " + chiSquare + " with " + df + " degrees of freedom");
  }

  /** The kept set itself, on rows and parameters of many kinds, through the package's filters. */
  @Test
  void filtersKeepTheReferenceSet() {
    SplittableRandom random = new SplittableRandom(42);
    for (int round = 0; round < 400; round++) {
      int length = random.nextInt(1, 300);
      float[] row = row(random, length, random.nextDouble(0.1, 6));
      int k = random.nextInt(1, length + 3);
      double p = random.nextDouble(0.001, 1);
      Candidates candidates = new Candidates(length);
      for (int kind = 0; kind < 4; kind++) {
        SamplingOptions options =
            switch (kind) {
              case 0 -> plain().topK(k).build();
              case 1 -> plain().topP(p).build();
              case 2 -> plain().minP(p).build();
              default -> plain().typicalP(p).build();
            };
        candidates.all(row);
        switch (kind) {
          case 0 -> candidates.topK(row, Math.min(k, length));
          case 1 -> candidates.topP(row, p);
          case 2 -> candidates.minP(row, p);
          default -> candidates.typical(row, p);
        }
        List<Integer> kept =
            IntStream.range(0, candidates.count()).map(candidates::token).sorted().boxed().toList();
        List<Integer> expected =
            SamplerReference.distribution(row, options, List.of()).keySet().stream()
                .sorted()
                .toList();
        assertEquals(expected, kept, "round " + round + " " + options);
      }
    }
  }

  @Test
  void topKTiesGoToTheLowerId() {
    float[] row = {1, 2, 2, 0f, -0f, 2, 1};
    Candidates candidates = new Candidates(row.length);
    for (int k = 1; k <= row.length; k++) {
      candidates.topK(row, k);
      List<Integer> kept =
          IntStream.range(0, candidates.count()).map(candidates::token).sorted().boxed().toList();
      List<Integer> expected = Stream.of(1, 2, 5, 0, 6, 3, 4).limit(k).sorted().toList();
      assertEquals(expected, kept, "k = " + k);
    }
  }

  @Test
  void greedyTakesTheLowestOfEquals() {
    SamplingOptions greedy = SamplingOptions.ofGreedy();
    assertEquals(2, new Sampler(greedy, 5).next(new float[] {0, -1, 7, 7, 3}));
    SamplingOptions all =
        greedy.toBuilder().topK(1).topP(0.1).typicalP(0.1).minP(1).seed(99).build();
    assertEquals(2, new Sampler(all, 5).next(new float[] {0, -1, 7, 7, 3}));
    SamplingOptions biased = greedy.toBuilder().logitBias(Map.of(4, 10f)).build();
    assertEquals(4, new Sampler(biased, 5).next(new float[] {0, -1, 7, 7, 3}));
    Sampler penalised = new Sampler(greedy.toBuilder().presencePenalty(1).build(), 5);
    penalised.accept(2);
    assertEquals(3, penalised.next(new float[] {0, -1, 7, 7, 3}));
  }

  @Test
  void badRowsAreNamed() {
    Sampler sampler = new Sampler(SamplingOptions.ofGreedy(), 4);
    float nan = Float.NaN;
    assertTrue(
        assertThrows(IllegalStateException.class, () -> sampler.next(new float[] {0, nan, 1, nan}))
            .getMessage()
            .startsWith("2 of 4 logits are NaN and 0 are +Infinity (first at token 1)"));
    assertTrue(
        assertThrows(
                IllegalStateException.class,
                () -> sampler.next(new float[] {0, 1, Float.POSITIVE_INFINITY, nan}))
            .getMessage()
            .startsWith("1 of 4 logits are NaN and 1 are +Infinity (first at token 2)"));
    float no = Float.NEGATIVE_INFINITY;
    assertTrue(
        assertThrows(IllegalStateException.class, () -> sampler.next(new float[] {no, no, no, no}))
            .getMessage()
            .startsWith("all 4 logits are -Infinity"));
    assertEquals(3, sampler.next(new float[] {no, no, no, -5}));
    assertTrue(
        assertThrows(IllegalArgumentException.class, () -> sampler.next(new float[5]))
            .getMessage()
            .contains("5 logits"));
  }

  @Test
  void optionsAreChecked() {
    SamplingOptions.Builder b = SamplingOptions.builder();
    refused("temperature is -1.0", () -> plain().temperature(-1).build());
    refused("temperature is NaN", () -> plain().temperature(Double.NaN).build());
    refused("temperature is Infinity", () -> plain().temperature(1 / 0.0).build());
    refused("topK is -1", () -> plain().topK(-1).build());
    refused("topP is 0.0", () -> plain().topP(0).build());
    refused("topP is 1.5", () -> plain().topP(1.5).build());
    refused("minP is NaN", () -> plain().minP(Double.NaN).build());
    refused("typicalP is 0.0", () -> plain().typicalP(0).build());
    refused("repetitionPenalty is 0.0", () -> plain().repetitionPenalty(0).build());
    refused("frequencyPenalty is NaN", () -> plain().frequencyPenalty(Double.NaN).build());
    refused("presencePenalty is -Infinity", () -> plain().presencePenalty(-1 / 0.0).build());
    refused("penaltyWindowTokens is -2", () -> plain().penaltyWindowTokens(-2).build());
    refused("logitBias token is -3", () -> plain().logitBias(Map.of(-3, 1f)).build());
    refused("logitBias of token 3 is NaN", () -> plain().logitBias(Map.of(3, Float.NaN)).build());
    refused("names token 9", () -> new Sampler(plain().logitBias(Map.of(9, 1f)).build(), 9));
    refused("vocabularySize is 0", () -> new Sampler(plain().build(), 0));
    refused("names token 4", () -> new Sampler(plain().build(), 4).accept(4));
    assertEquals(b.build(), b.build().toBuilder().build());
  }

  private static void refused(String words, Runnable action) {
    String message = assertThrows(IllegalArgumentException.class, action::run).getMessage();
    assertTrue(message.contains(words), message);
  }

  private static List<Integer> run(Sampler sampler, long rowSeed, int tokens) {
    SplittableRandom rows = new SplittableRandom(rowSeed);
    List<Integer> out = new ArrayList<>();
    for (int i = 0; i < tokens; i++) {
      int token = sampler.next(row(rows, sampler.vocabularySize(), 1));
      sampler.accept(token);
      out.add(token);
    }
    return out;
  }

  @ParameterizedTest
  @MethodSource("everyFilter")
  void restoredSamplersContinueTokenForToken(SamplingOptions options) {
    Sampler sampler = new Sampler(options, 50);
    List<Integer> first = run(sampler, 1, 40);
    byte[] saved = sampler.snapshot().toBytes();
    Sampler fork = sampler.fork();
    List<Integer> expected = run(sampler, 2, 40);
    Sampler restored = new Sampler(options, 50);
    run(restored, 3, 7);
    restored.restore(SamplerState.fromBytes(saved));
    assertEquals(expected, run(restored, 2, 40));
    assertEquals(expected, run(fork, 2, 40));
    assertEquals(sampler.snapshot(), restored.snapshot());
    sampler.reset();
    assertEquals(first, run(sampler, 1, 40));
  }

  @Test
  void seedsDiffer() {
    Sampler zero = new Sampler(plain().build(), 1000);
    Sampler one = new Sampler(plain().seed(1).build(), 1000);
    assertNotEquals(run(zero, 5, 20), run(one, 5, 20));
  }

  @Test
  void badStatesAreRefused() {
    SamplingOptions window = plain().presencePenalty(1).penaltyWindowTokens(2).build();
    Sampler sampler = new Sampler(window, 10);
    refused(
        "3 tokens but penaltyWindowTokens is 2",
        () -> sampler.restore(new SamplerState(0, new int[] {1, 2}, new int[] {1, 2})));
    refused("token 10", () -> sampler.restore(new SamplerState(0, new int[] {10}, new int[] {1})));
    refused(
        "no penalties",
        () ->
            new Sampler(plain().build(), 10)
                .restore(new SamplerState(0, new int[] {1}, new int[] {1})));
    refused("count 0", () -> new SamplerState(0, new int[] {1}, new int[] {0}));
    byte[] good = new SamplerState(5, new int[] {1, 2}, new int[] {1, 1}).toBytes();
    for (int length = 0; length < good.length; length++) {
      byte[] cut = Arrays.copyOf(good, length);
      refused("sampler state of " + length + " bytes", () -> SamplerState.fromBytes(cut));
    }
  }

  @Test
  void allocatesNothingPerToken() {
    var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    for (SamplingOptions options : everyFilter().toList()) {
      Sampler sampler = new Sampler(options, 4096);
      float[] source = row(new SplittableRandom(8), 4096, 2);
      float[] logits = new float[4096];
      long best = Long.MAX_VALUE;
      // The first rounds warm up; the least of the rest is what a token costs, since the JVM may
      // allocate on this thread when it compiles.
      for (int round = 0; round < 6; round++) {
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < 20; i++) {
          System.arraycopy(source, 0, logits, 0, logits.length);
          sampler.accept(sampler.next(logits));
        }
        best = Math.min(best, threads.getCurrentThreadAllocatedBytes() - before);
      }
      assertEquals(0, best, "bytes allocated by 20 tokens with " + options);
    }
  }
}
