package io.attention4j.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.demo.DemoModel;
import io.attention4j.llm.GenerationRequest;
import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.LoadOptions;
import io.attention4j.llm.PrefixCache;
import io.attention4j.llm.Session;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** KV caches of the demo model whose pages are memory of an OpenCL device. */
class OpenClCachesTest {
  private static final String PAGED = "f16+paged:page=8";
  private static final String PROMPT = "ROMEO:\nBut soft, what light through yonder window breaks?";

  @TempDir Path folder;

  @BeforeAll
  static void needsOpenCl() {
    OpenClGenerateTest.needsOpenCl();
  }

  private static LanguageModel load(String cache, int deviceLayers) throws IOException {
    return LanguageModel.load(
        DemoModel.file(),
        LoadOptions.builder()
            .kernels("opencl")
            .contextTokens(256)
            .kvCache(cache)
            .deviceLayers(deviceLayers)
            .build());
  }

  private static int[] generate(Session session, String prompt) {
    return session
        .generate(GenerationRequest.builder().prompt(prompt).maxTokens(24).ignoreEnd(true).build())
        .run()
        .tokens();
  }

  /** All layers on the device, and some. */
  @ParameterizedTest
  @ValueSource(ints = {LoadOptions.ALL_LAYERS, 3})
  void offloadedPagesGiveTheTokensOfMemory(int deviceLayers) throws IOException {
    int[] expected;
    try (LanguageModel model = load(PAGED, deviceLayers);
        Session session = model.newSession()) {
      expected = generate(session, PROMPT);
    }
    try (LanguageModel model = load(PAGED + "+offload:dir=" + folder + ";slots=2", deviceLayers)) {
      try (Session session = model.newSession()) {
        assertArrayEquals(expected, generate(session, PROMPT));
        assertTrue(model.kvUsage().fetchedBytes() > 0, "nothing was fetched");
      }
      assertEquals(0, model.kvUsage().fileBytes());
      assertEquals(0, model.kvUsage().memoryBytes());
    }
  }

  @Test
  void sessionsShareThePagesOfAPrefix() throws IOException {
    String other = PROMPT + "\nIt is the east,";
    int[] expected;
    try (LanguageModel model = load(PAGED, LoadOptions.ALL_LAYERS);
        Session session = model.newSession()) {
      expected = generate(session, other);
    }
    try (LanguageModel model = load(PAGED, LoadOptions.ALL_LAYERS);
        PrefixCache prefixes = new PrefixCache(model, 1000)) {
      try (Session session = model.newSession()) {
        session.append(model.tokenizer().encodeWithSpecialTokens(PROMPT));
        long alone = model.kvUsage().memoryBytes();
        assertTrue(prefixes.keep(session));
        try (Session fork = session.fork()) {
          assertEquals(alone, model.kvUsage().memoryBytes(), "a fork takes pages of its own");
          assertEquals(session.position(), fork.position());
        }
      }
      int[] tokens = model.tokenizer().encodeWithSpecialTokens(other);
      try (Session session = prefixes.open(tokens)) {
        assertTrue(session.position() > 8, "the prefix is not used");
        assertArrayEquals(expected, generate(session, other));
      }
    }
  }
}
