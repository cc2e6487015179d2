package io.attention4j.llm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.llm.tiny.TinyGgufModel;
import io.attention4j.llm.tiny.TinySpec;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Sessions whose caches quantise or drop while they decode go back, fork and are restored. */
class QuantisedSessionTest {
  private static final int PROMPT = 150;
  private static final int END = 260;

  @TempDir static Path folder;

  private static LanguageModel load(String cache) throws IOException {
    Path file = TinyGgufModel.write(TinySpec.of("llama"), folder.resolve("llama.gguf"));
    return LanguageModel.load(
        file,
        LoadOptions.builder()
            .kernels("reference")
            .kvCache(cache)
            .contextTokens(300)
            .maxBatchRows(64)
            .build());
  }

  private static int[] tokens(int from, int to) {
    int[] tokens = new int[to - from];
    Arrays.setAll(tokens, i -> i + from == 0 ? 270 : 5 + (i + from) * 37 % 250);
    return tokens;
  }

  /** A prompt, then tokens one by one. */
  private static void read(Session session, int prompt, int end) {
    session.append(tokens(0, prompt));
    decode(session, prompt, end);
  }

  private static void decode(Session session, int from, int end) {
    for (int token : tokens(from, end)) {
      session.append(token);
    }
  }

  /**
   * Going back behind what a cache has quantised or dropped computes the tokens again, as a prompt;
   * what follows is that of a session that was never further.
   */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "kivi:residual=0",
        "saq:levels=16@0,8@64,2",
        "sink-window:tokens=40",
        "snapkv:tokens=40;window=8"
      })
  void goesBackBehindWhatItChanged(String cache) throws IOException {
    try (LanguageModel model = load(cache);
        Session session = model.newSession();
        Session never = model.newSession()) {
      read(session, PROMPT, END);
      session.rewind(PROMPT - 20);
      assertEquals(PROMPT - 20, session.position());
      assertArrayEquals(tokens(0, PROMPT - 20), session.tokens());
      read(never, PROMPT - 20, PROMPT - 20);
      decode(session, PROMPT - 20, PROMPT + 50);
      decode(never, PROMPT - 20, PROMPT + 50);
      assertArrayEquals(never.logits(), session.logits());
      assertEquals(never.bytes(), session.bytes());
    }
  }

  @Test
  void goesBackWithoutComputingWhereNothingWasQuantisedSince() throws IOException {
    try (LanguageModel model = load("kivi:residual=0");
        Session session = model.newSession();
        Session never = model.newSession()) {
      read(session, PROMPT, 200); // the third page was quantised at 192 tokens, or up to 32 later
      decode(session, 200, 250);
      read(never, PROMPT, 240);
      session.rewind(240);
      decode(session, 240, END);
      decode(never, 240, END);
      assertArrayEquals(never.logits(), session.logits());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"kivi:residual=0", "saq:levels=16@0,8@64,2"})
  void forksAndRestoredSessionsGoOnTokenForToken(String cache) throws IOException {
    try (LanguageModel model = load(cache);
        Session session = model.newSession();
        Session restored = model.newSession()) {
      read(session, PROMPT, 200);
      Path file = folder.resolve("saved");
      session.save(file);
      restored.restore(file);
      try (Session fork = session.fork()) {
        decode(session, 200, END);
        decode(fork, 200, END);
        decode(restored, 200, END);
        assertArrayEquals(session.logits(), fork.logits());
        assertArrayEquals(session.logits(), restored.logits());
        assertTrue(session.bytes() > 0);
        assertEquals(session.bytes(), restored.bytes());
      }
    }
  }
}
