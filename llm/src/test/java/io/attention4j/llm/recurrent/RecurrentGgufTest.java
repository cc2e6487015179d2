package io.attention4j.llm.recurrent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.llm.GenerationRequest;
import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.LoadOptions;
import io.attention4j.llm.Session;
import io.attention4j.llm.sampling.SamplingOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** GGUF files of recurrent architectures against float64 loops. */
class RecurrentGgufTest {
  private static final int TOKENS = 40;

  /** Some hundred roundings of 6e-8 between a token and logits of size 1 to 10. */
  private static final double TOLERANCE = 1e-4;

  @TempDir Path folder;

  private static int[] tokens() {
    return new SplittableRandom(5).ints(TOKENS, 1, TinyWeightSet.VOCABULARY).toArray();
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.scalar", "cpu.simd"})
  void rwkv7EqualsTheReference(String kernels) throws IOException {
    TinyRwkv7 tiny = new TinyRwkv7();
    check(tiny.write(folder.resolve("rwkv7.gguf")), tiny.logits(tokens()), kernels);
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.scalar", "cpu.simd"})
  void mamba2EqualsTheReference(String kernels) throws IOException {
    for (int groups : new int[] {1, 2}) {
      TinyMamba2 tiny = new TinyMamba2(groups);
      check(tiny.write(folder.resolve("mamba2.gguf")), tiny.logits(tokens()), kernels);
    }
  }

  private static void check(Path file, double[][] expected, String kernels) throws IOException {
    int[] tokens = tokens();
    LoadOptions options = LoadOptions.builder().kernels(kernels).maxBatchRows(16).build();
    try (LanguageModel model = LanguageModel.load(file, options);
        Session stepwise = model.newSession();
        Session whole = model.newSession()) {
      for (int t = 0; t < TOKENS; t++) {
        stepwise.append(tokens[t]);
        assertClose(expected[t], stepwise.logits(), kernels + " token " + t);
      }
      whole.append(tokens);
      assertClose(expected[TOKENS - 1], whole.logits(), kernels + " prefill");
    }
  }

  private static void assertClose(double[] expected, float[] actual, String what) {
    for (int i = 0; i < expected.length; i++) {
      assertTrue(Float.isFinite(actual[i]), what + " logit " + i + " is " + actual[i]);
      assertEquals(expected[i], actual[i], TOLERANCE, what + " logit " + i);
    }
  }

  /** Sessions that step in one pass have rows of their own in every tensor. */
  @Test
  void sessionsThatShareAPassDoNotMix() throws IOException {
    Path file = new TinyMamba2(1).write(folder.resolve("mamba2.gguf"));
    double[][] expected = new TinyMamba2(1).logits(tokens());
    try (LanguageModel model = LanguageModel.load(file)) {
      CompletableFuture<?>[] all = new CompletableFuture<?>[3];
      for (int i = 0; i < all.length; i++) {
        int first = 1 + 5 * i;
        all[i] =
            CompletableFuture.runAsync(
                () -> {
                  try (Session session = model.newSession()) {
                    session.append(Arrays.copyOf(tokens(), first));
                    for (int t = first; t < TOKENS; t++) {
                      session.append(tokens()[t]);
                    }
                    assertClose(expected[TOKENS - 1], session.logits(), "session " + first);
                  }
                });
      }
      CompletableFuture.allOf(all).join();
    }
  }

  /** The same prompt again goes back to the snapshot before it, and gives the same text. */
  @Test
  void aPromptCanBeAskedAgain() throws IOException {
    Path file = new TinyRwkv7().write(folder.resolve("rwkv7.gguf"));
    try (LanguageModel model = LanguageModel.load(file);
        Session session = model.newSession()) {
      GenerationRequest request =
          GenerationRequest.builder()
              .prompt("a prompt")
              .maxTokens(5)
              .ignoreEnd(true)
              .sampling(SamplingOptions.ofGreedy())
              .build();
      int[] first = session.generate(request).run().tokens();
      assertEquals(5, first.length);
      assertEquals(
          Arrays.toString(first), Arrays.toString(session.generate(request).run().tokens()));
    }
  }
}
