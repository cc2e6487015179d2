package io.attention4j.llm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.sampling.LogProbs;
import io.attention4j.llm.sampling.SamplingOptions;
import io.attention4j.llm.tiny.TinyGgufModel;
import io.attention4j.llm.tiny.TinySpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Sessions of a model with windows and full layers. */
class SessionTest {
  private static final LoadOptions OPTIONS =
      LoadOptions.builder().kernels("reference").kvCache("paged:page=4").maxBatchRows(8).build();
  private static final int[] PROMPT = {270, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};

  @TempDir static Path folder;
  private static LanguageModel model;

  @BeforeAll
  static void load() throws IOException {
    Path file = TinyGgufModel.write(TinySpec.of("gemma2"), folder.resolve("gemma2.gguf"));
    model = LanguageModel.load(file, OPTIONS);
  }

  @AfterAll
  static void close() {
    model.close();
  }

  private static GenerationRequest.Builder request(int... tokens) {
    return GenerationRequest.builder()
        .promptTokens(Arrays.stream(tokens).boxed().toList())
        .maxTokens(12)
        .ignoreEnd(true);
  }

  private static int[] generate(Session session, int... tokens) {
    return session.generate(request(tokens).build()).run().tokens();
  }

  @Test
  void aSharedBeginningIsNotComputedAgain() {
    try (Session session = model.newSession();
        Session fresh = model.newSession()) {
      GenerationResult first = session.generate(request(PROMPT).build()).run();
      assertEquals(0, first.timings().reusedTokens());
      int[] longer = Arrays.copyOf(PROMPT, PROMPT.length + 2);
      longer[PROMPT.length] = 44;
      longer[PROMPT.length + 1] = 45;
      GenerationResult second = session.generate(request(longer).build()).run();
      assertEquals(PROMPT.length, second.timings().reusedTokens());
      assertArrayEquals(generate(fresh, longer), second.tokens());
      GenerationResult again = session.generate(request(longer).build()).run();
      assertEquals(longer.length - 1, again.timings().reusedTokens());
      assertArrayEquals(second.tokens(), again.tokens());
    }
  }

  @Test
  void appendContinuesTheSession() {
    try (Session session = model.newSession();
        Session whole = model.newSession()) {
      session.append(PROMPT);
      GenerationResult continued = session.generate(request(44, 45).append(true).build()).run();
      int[] all = Arrays.copyOf(PROMPT, PROMPT.length + 2);
      all[PROMPT.length] = 44;
      all[PROMPT.length + 1] = 45;
      assertArrayEquals(generate(whole, all), continued.tokens());
      assertEquals(PROMPT.length, continued.timings().reusedTokens());
    }
  }

  @Test
  void theLastTokenOfAGenerationIsNotLostWhenTheSessionGoesOn() throws IOException {
    Path file = folder.resolve("goes-on");
    try (Session whole = model.newSession();
        Session session = model.newSession();
        Session restored = model.newSession()) {
      int[] all =
          whole.generate(request(PROMPT).maxTokens(9).ignoreEnd(true).build()).run().tokens();
      int[] first =
          session.generate(request(PROMPT).maxTokens(4).ignoreEnd(true).build()).run().tokens();
      assertEquals(PROMPT.length + 3, session.position());
      try (Session fork = session.fork()) {
        GenerationRequest more = request().append(true).maxTokens(5).ignoreEnd(true).build();
        int[] second = fork.generate(more).run().tokens();
        assertArrayEquals(Arrays.copyOf(all, 4), first);
        assertArrayEquals(Arrays.copyOfRange(all, 4, 9), second);
        session.save(file);
        restored.restore(file);
        assertEquals(PROMPT.length + 4, restored.position());
        assertArrayEquals(second, restored.generate(more).run().tokens());
        session.append(7);
        assertEquals(first[3], session.tokens()[PROMPT.length + 3]);
        assertEquals(7, session.tokens()[PROMPT.length + 4]);
      }
      session.generate(request(PROMPT).maxTokens(1).build()).run();
      session.rewind(PROMPT.length);
      session.append(7);
      assertEquals(7, session.tokens()[PROMPT.length]);
    }
  }

  @Test
  void rewindAndForkContinueTokenForToken() {
    try (Session session = model.newSession();
        Session expected = model.newSession()) {
      expected.append(PROMPT);
      session.append(PROMPT);
      session.append(1, 2, 3, 4, 5, 6, 7, 8, 9);
      try (Session fork = session.fork()) {
        session.rewind(PROMPT.length);
        assertEquals(PROMPT.length, session.position());
        assertArrayEquals(expected.logits(), session.logits());
        expected.append(1, 2, 3, 4, 5, 6, 7, 8, 9);
        session.append(200);
        assertArrayEquals(expected.logits(), fork.logits());
        expected.append(50);
        fork.append(50);
        assertArrayEquals(expected.logits(), fork.logits());
        assertArrayEquals(expected.tokens(), fork.tokens());
      }
      session.rewind(0);
      assertThrows(IllegalStateException.class, session::logits);
      assertThrows(IllegalArgumentException.class, () -> session.rewind(1));
    }
  }

  @Test
  void saveAndRestoreContinueTokenForToken() throws IOException {
    Path file = folder.resolve("session");
    try (Session session = model.newSession();
        Session restored = model.newSession()) {
      session.append(PROMPT);
      session.save(file);
      restored.append(99, 98);
      restored.restore(file);
      assertArrayEquals(session.tokens(), restored.tokens());
      assertArrayEquals(session.logits(), restored.logits());
      session.append(50);
      restored.append(50);
      assertArrayEquals(session.logits(), restored.logits());
    }
  }

  @Test
  void badSessionFilesAreRefusedAndChangeNothing() throws IOException {
    Path file = folder.resolve("good");
    try (Session session = model.newSession()) {
      session.append(PROMPT);
      session.save(file);
      byte[] good = Files.readAllBytes(file);
      float[] logits = session.logits();
      Path bad = folder.resolve("bad");
      for (int cut : new int[] {0, 3, 8, 20, 60, good.length / 2, good.length - 1}) {
        Files.write(bad, Arrays.copyOf(good, cut));
        assertThrows(ModelFormatException.class, () -> session.restore(bad));
      }
      for (int at = 0; at < good.length; at += 97) {
        byte[] flipped = good.clone();
        flipped[at] ^= 4;
        Files.write(bad, flipped);
        assertThrows(ModelFormatException.class, () -> session.restore(bad));
      }
      assertThrows(ModelFormatException.class, () -> session.restore(folder.resolve("absent")));
      assertArrayEquals(PROMPT, session.tokens());
      assertArrayEquals(logits, session.logits());
    }
  }

  @Test
  void aSessionOfAnotherModelIsRefused() throws IOException {
    Path file = folder.resolve("foreign");
    Path other = TinyGgufModel.write(TinySpec.of("gemma3"), folder.resolve("gemma3.gguf"));
    try (LanguageModel gemma3 = LanguageModel.load(other, OPTIONS);
        Session foreign = gemma3.newSession();
        Session session = model.newSession()) {
      foreign.append(PROMPT);
      foreign.save(file);
      ModelFormatException refused =
          assertThrows(ModelFormatException.class, () -> session.restore(file));
      assertTrue(refused.getMessage().contains("another model"), refused.getMessage());
    }
    try (Stream<Path> files = Files.list(folder)) {
      assertTrue(files.noneMatch(path -> path.toString().endsWith(".part")));
    }
  }

  @Test
  void aFullContextEndsTheGeneration() {
    try (Session session = model.newSession()) {
      GenerationResult result = session.generate(request(PROMPT).maxTokens(0).build()).run();
      assertEquals(FinishReason.CONTEXT_FULL, result.finishReason());
      assertEquals(TinySpec.CONTEXT, PROMPT.length + result.tokens().length);
      int[] tooLong = new int[TinySpec.CONTEXT + 1];
      IllegalArgumentException refused =
          assertThrows(
              IllegalArgumentException.class, () -> session.generate(request(tooLong).build()));
      assertTrue(refused.getMessage().contains("65 tokens"), refused.getMessage());
      int[] full = Arrays.copyOf(PROMPT, TinySpec.CONTEXT);
      assertEquals(0, generate(session, full).length);
      assertThrows(IllegalArgumentException.class, () -> session.append(1));
      assertEquals(TinySpec.CONTEXT, session.position());
    }
  }

  @Test
  void stopTokensStopStringsLengthAndCancelling() {
    try (Session session = model.newSession()) {
      GenerationResult free = session.generate(request(PROMPT).build()).run();
      assertEquals(FinishReason.LENGTH, free.finishReason());
      assertEquals(12, free.tokens().length);
      int stop = free.tokens()[4];
      int before = (int) Arrays.stream(free.tokens()).takeWhile(token -> token != stop).count();
      GenerationResult stopped =
          session.generate(request(PROMPT).stopTokens(Set.of(stop)).build()).run();
      assertEquals(FinishReason.STOP_TOKEN, stopped.finishReason());
      assertEquals(before, stopped.tokens().length);

      String text = free.text();
      String stopText = text.substring(text.length() / 2, text.length() / 2 + 2);
      GenerationResult atText =
          session.generate(request(PROMPT).stopStrings(List.of(stopText)).build()).run();
      assertEquals(FinishReason.STOP_STRING, atText.finishReason());
      assertEquals(stopText, atText.stop());
      assertEquals(text.substring(0, text.indexOf(stopText)), atText.text());

      Generation generation = session.generate(request(PROMPT).build());
      int[] seen = new int[1];
      GenerationResult cancelled =
          generation.run(
              piece -> {
                if (++seen[0] == 3) {
                  generation.cancel();
                }
              });
      assertEquals(FinishReason.CANCELLED, cancelled.finishReason());
      assertEquals(3, cancelled.tokens().length);
      assertArrayEquals(Arrays.copyOf(free.tokens(), 3), cancelled.tokens());
      assertThrows(IllegalStateException.class, generation::iterator);
    }
  }

  @Test
  void streamAndCallbackGiveTheSameText() {
    try (Session session = model.newSession()) {
      StringBuilder callback = new StringBuilder();
      GenerationResult result =
          session.generate(request(PROMPT).build(), piece -> callback.append(piece.text()));
      StringBuilder stream = new StringBuilder();
      try (Stream<Piece> pieces = session.generate(request(PROMPT).build()).stream()) {
        pieces.forEach(piece -> stream.append(piece.text()));
      }
      assertEquals(result.text(), callback.toString());
      assertEquals(result.text(), stream.toString());
    }
  }

  @Test
  void aSeedDecides() {
    SamplingOptions hot = SamplingOptions.builder().temperature(2).topK(0).topP(1).minP(0).build();
    try (Session session = model.newSession()) {
      int[] one = session.generate(request(PROMPT).sampling(hot).build()).run().tokens();
      int[] two = session.generate(request(PROMPT).sampling(hot).build()).run().tokens();
      SamplingOptions other = hot.toBuilder().seed(1).build();
      int[] three = session.generate(request(PROMPT).sampling(other).build()).run().tokens();
      assertArrayEquals(one, two);
      assertNotEquals(Arrays.toString(one), Arrays.toString(three));
    }
  }

  @Test
  void scoresAreLogProbabilitiesOfTheLogits() {
    int[] continuation = {30, 31, 32, 33, 34, 35, 36, 37, 38, 39};
    double[] expected = new double[continuation.length];
    try (Session stepwise = model.newSession();
        Session session = model.newSession()) {
      stepwise.append(PROMPT);
      for (int i = 0; i < expected.length; i++) {
        expected[i] = LogProbs.of(stepwise.logits(), continuation[i]);
        stepwise.append(continuation[i]);
      }
      Score score = session.score(PROMPT, continuation);
      assertArrayEquals(expected, score.logProbs());
      assertArrayEquals(stepwise.logits(), session.logits());
      // Another continuation of the same prompt, and one that the session already holds.
      assertEquals(LogProbs.of(afterPrompt(), 77), session.score(PROMPT, new int[] {77}).total());
      assertArrayEquals(expected, session.score(PROMPT, continuation).logProbs());
      assertArrayEquals(expected, session.score(PROMPT, continuation).logProbs());
    }
  }

  private static float[] afterPrompt() {
    try (Session session = model.newSession()) {
      session.append(PROMPT);
      return session.logits();
    }
  }

  @Test
  void logProbsOfPiecesAgreeWithScores() {
    try (Session session = model.newSession()) {
      double sum = 0;
      Generation generation = session.generate(request(PROMPT).logProbs(3).build());
      for (Piece piece : generation) {
        if (piece.token() >= 0) {
          sum += piece.logProb();
          assertEquals(3, piece.top().size());
          assertTrue(piece.top().getFirst().logProb() >= piece.logProb());
        }
      }
      Score score = session.score(PROMPT, generation.result().tokens());
      assertEquals(score.total(), sum, 1e-9);
    }
  }

  @Test
  void embeddingsHaveLengthOneAndTellTextsApart() {
    float[] one = model.embed("the and");
    float[] same = model.embed("the and");
    float[] other = model.embed("qqqq");
    assertEquals(TinySpec.DIM, one.length);
    assertArrayEquals(one, same);
    assertEquals(1, dot(one, one), 1e-6);
    assertTrue(dot(one, other) < 0.999);
  }

  private static double dot(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (double) a[i] * b[i];
    }
    return sum;
  }

  @Test
  void wrongTokensAndClosedSessionsAreRefused() {
    Session session = model.newSession();
    assertThrows(IllegalArgumentException.class, () -> session.append(-1));
    assertThrows(IllegalArgumentException.class, () -> session.append(TinySpec.VOCABULARY));
    assertThrows(
        IllegalArgumentException.class, () -> session.generate(request(new int[0]).build()));
    assertEquals(0, session.position());
    session.close();
    session.close();
    assertThrows(IllegalStateException.class, () -> session.append(1));
  }
}
