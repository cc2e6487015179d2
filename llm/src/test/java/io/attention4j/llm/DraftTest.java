package io.attention4j.llm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.llm.format.SharedFiles;
import io.attention4j.llm.sampling.SamplingOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A model as its own draft. */
class DraftTest {
  private static final int TOKENS = 30;

  private static Path bard() {
    return SharedFiles.require("models/bard-2.5m").resolve("bard-2.5m-F16.gguf");
  }

  private static LoadOptions options(String cache, Path draft) {
    return LoadOptions.builder().kvCache(cache).draft(draft).maxBatchRows(128).build();
  }

  /** The beginning of a text, about so many tokens with a passkey near its start. */
  private static String prompt(int characters) throws IOException {
    String text = Files.readString(SharedFiles.require("data/text/tinyshakespeare.txt"));
    int from = (int) (0.96 * text.length());
    return text.substring(from, from + 300)
        + " The passkey of Jane is 40917. "
        + text.substring(from + 300, from + characters)
        + " The passkey of Jane is";
  }

  private static GenerationResult generate(String cache, Path draft, String prompt)
      throws IOException {
    try (LanguageModel model = LanguageModel.load(bard(), options(cache, draft));
        Session session = model.newSession()) {
      return session
          .generate(
              GenerationRequest.builder()
                  .prompt(prompt)
                  .maxTokens(TOKENS)
                  .sampling(SamplingOptions.ofGreedy())
                  .build())
          .run();
    }
  }

  /** Room for the prompt: nothing is dropped or shortened and the text is that without a draft. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "speckv:tokens=4000",
        "specpc:tokens=4000",
        "specpc:keep=1",
        "speckv:tokens=4000;prompt=4000",
        "speckv:tokens=4000+q8"
      })
  void aWholeBudgetIsTheModelAlone(String cache) throws IOException {
    String prompt = prompt(1200);
    String dense = cache.endsWith("q8") ? "q8" : "f16";
    assertEquals(generate(dense, null, prompt).text(), generate(cache, bard(), prompt).text());
  }

  /**
   * A budget of all prompt tokens but the last drops nothing, so what the draft guessed leaves no
   * trace: logits as without it, up to the rounding of another order.
   */
  @Test
  void guessesLeaveNoTraceWhereNothingIsDropped() throws IOException {
    int[] prompt;
    float[] expected;
    try (LanguageModel model = LanguageModel.load(bard(), options("f32", null));
        Session session = model.newSession()) {
      prompt = model.tokenizer().encodeWithSpecialTokens(prompt(1200));
      session.append(Arrays.copyOf(prompt, prompt.length - 1));
      session.append(prompt[prompt.length - 1]);
      expected = session.logits();
    }
    String cache = "speckv:tokens=" + (prompt.length - 1) + ";lookahead=20+f32";
    try (LanguageModel model = LanguageModel.load(bard(), options(cache, bard()));
        Session session = model.newSession()) {
      session.appendPrompt(prompt);
      assertEquals(prompt.length, session.position());
      assertArrayEquals(prompt, session.tokens());
      assertArrayEquals(expected, session.logits(), 1e-3f);
    }
  }

  /** A draft that is the model itself looks ahead at the true answer. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "speckv:keep=0.4;window=16;lookahead=16",
        "speckv:keep=0.4;window=16;lookahead=16+q8",
        "specpc:keep=0.5;window=32;kernel=16;layer=1",
        "specpc:keep=0.5;window=32;kernel=16;layer=1+kivi:bits=4;residual=64",
        "specpc:keep=0.5;window=32;kernel=16;layer=1+offload:slots=2",
        "speckv:tokens=200;window=16;lookahead=16;prompt=300"
      })
  void aPasskeyStays(String cache) throws IOException {
    String prompt = prompt(1100);
    String dense = generate("f16", null, prompt).text();
    assertTrue(dense.startsWith(" 40917"), dense);
    String text = generate(cache, bard(), prompt).text();
    assertTrue(text.startsWith(" 40917"), text);
  }

  @Test
  void theBudgetIsWhatTheSessionHolds() throws IOException {
    try (LanguageModel model =
            LanguageModel.load(
                bard(), options("speckv:tokens=64;window=16;lookahead=8+paged:page=1", bard()));
        LanguageModel dense = LanguageModel.load(bard(), options("paged:page=1", null));
        Session session = model.newSession();
        Session whole = dense.newSession()) {
      int[] prompt = model.tokenizer().encodeWithSpecialTokens(prompt(900));
      session.appendPrompt(prompt);
      whole.append(prompt);
      // 64 entries and the last prompt token; positions are counted too
      double perToken = (double) whole.bytes() / prompt.length;
      assertEquals(65 * perToken, session.bytes(), 0.2 * 65 * perToken);
    }
    try (LanguageModel model =
            LanguageModel.load(bard(), options("specpc:tokens=100;window=16", bard()));
        Session session = model.newSession()) {
      int[] prompt = model.tokenizer().encodeWithSpecialTokens(prompt(900));
      session.appendPrompt(prompt);
      assertEquals(100, session.position());
      int[] held = session.tokens();
      assertArrayEquals(
          Arrays.copyOfRange(prompt, prompt.length - 16, prompt.length),
          Arrays.copyOfRange(held, 84, 100));
      var refused = assertThrows(IllegalStateException.class, () -> session.appendPrompt(1, 2));
      assertTrue(refused.getMessage().contains("100"), refused.getMessage());
    }
  }

  /** A conversation goes on: the second request holds the first and its answer. */
  @Test
  void aSecondRequestGoesOn() throws IOException {
    try (LanguageModel model =
            LanguageModel.load(bard(), options("speckv:keep=0.5;window=16;lookahead=8", bard()));
        Session session = model.newSession()) {
      GenerationRequest first =
          GenerationRequest.builder()
              .prompt(prompt(600))
              .maxTokens(5)
              .sampling(SamplingOptions.ofGreedy())
              .build();
      session.generate(first).run();
      int held = session.position();
      GenerationResult second =
          session
              .generate(
                  GenerationRequest.builder()
                      .prompt(" What then, my lord?")
                      .append(true)
                      .maxTokens(5)
                      .sampling(SamplingOptions.ofGreedy())
                      .build())
              .run();
      assertTrue(session.position() > held);
      assertEquals(5, second.tokens().length);
    }
  }

  @Test
  void refusesADraftWithOtherTokens() {
    Path other = SharedFiles.require("data/models/stories260K").resolve("stories260K.gguf");
    var refused =
        assertThrows(
            IllegalArgumentException.class,
            () -> LanguageModel.load(bard(), options("speckv:tokens=64", other)).close());
    assertTrue(refused.getMessage().contains("has other tokens than"), refused.getMessage());
  }

  @Test
  void refusesADraftThatNothingUsesAndCachesWithoutOne() {
    Path bard = bard();
    var unused =
        assertThrows(
            IllegalArgumentException.class,
            () -> LanguageModel.load(bard, options("f16", bard)).close());
    assertTrue(unused.getMessage().contains("makes no use of the draft"), unused.getMessage());
    for (String cache : new String[] {"speckv:tokens=64", "specpc:tokens=64;window=8"}) {
      var missing =
          assertThrows(
              IllegalArgumentException.class,
              () -> LanguageModel.load(bard, options(cache, null)).close());
      assertTrue(missing.getMessage().contains("--draft-model"), missing.getMessage());
    }
  }
}
