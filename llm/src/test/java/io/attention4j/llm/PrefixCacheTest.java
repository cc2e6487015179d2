package io.attention4j.llm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.llm.tiny.TinyGgufModel;
import io.attention4j.llm.tiny.TinySpec;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PrefixCacheTest {
  private static final int[] PROMPT = {270, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};

  @TempDir static Path folder;
  private static LanguageModel model;

  @BeforeAll
  static void load() throws IOException {
    Path file = TinyGgufModel.write(TinySpec.of("gemma2"), folder.resolve("gemma2.gguf"));
    model =
        LanguageModel.load(
            file, LoadOptions.builder().kernels("reference").kvCache("paged:page=4").build());
  }

  @AfterAll
  static void close() {
    model.close();
  }

  private static int[] with(int... more) {
    int[] text = Arrays.copyOf(PROMPT, PROMPT.length + more.length);
    System.arraycopy(more, 0, text, PROMPT.length, more.length);
    return text;
  }

  private static GenerationResult generate(Session session, int... tokens) {
    return session
        .generate(
            GenerationRequest.builder()
                .promptTokens(Arrays.stream(tokens).boxed().toList())
                .maxTokens(6)
                .ignoreEnd(true)
                .build())
        .run();
  }

  private static void keep(PrefixCache cache, int... tokens) {
    try (Session session = model.newSession()) {
      session.append(tokens);
      assertTrue(cache.keep(session));
    }
  }

  @Test
  void aNewSessionStartsWithTheLongestKeptBeginning() {
    try (PrefixCache cache = new PrefixCache(model, 1000)) {
      keep(cache, with(44, 45, 46));
      keep(cache, with(44, 47));
      assertEquals(PROMPT.length + 4, cache.tokens()); // the shared beginning counts once
      for (int[] text : List.of(with(44, 45, 46), with(44, 48), with(60, 61), with(44, 47, 1, 2))) {
        try (Session opened = cache.open(text);
            Session fresh = model.newSession()) {
          GenerationResult result = generate(opened, text);
          assertArrayEquals(generate(fresh, text).tokens(), result.tokens());
          assertTrue(result.timings().reusedTokens() >= PROMPT.length);
        }
      }
      try (Session opened = cache.open(9, 9)) {
        assertEquals(0, opened.position());
      }
    }
  }

  @Test
  void aLogitThatIsAtHandIsUsed() {
    try (PrefixCache cache = new PrefixCache(model, 1000)) {
      keep(cache, PROMPT);
      try (Session opened = cache.open(PROMPT);
          Session fresh = model.newSession()) {
        assertEquals(PROMPT.length, opened.position());
        fresh.append(PROMPT);
        assertArrayEquals(fresh.logits(), opened.logits());
      }
    }
  }

  @Test
  void keptTextsAreNotChangedByWhoGoesOn() {
    try (PrefixCache cache = new PrefixCache(model, 1000)) {
      keep(cache, PROMPT);
      try (Session first = cache.open(with(30));
          Session second = cache.open(with(31))) {
        first.append(30, 32, 33);
        second.append(31, 34);
        try (Session fresh = model.newSession()) {
          fresh.append(with(30, 32, 33));
          assertArrayEquals(fresh.logits(), first.logits());
        }
      }
    }
  }

  @Test
  void theLeastRecentlyUsedGoesFirst() {
    try (PrefixCache cache = new PrefixCache(model, 20)) {
      keep(cache, 1, 2, 3, 4, 5, 6, 7, 8);
      keep(cache, 1, 2, 3, 4, 9, 9, 9, 9);
      assertEquals(12, cache.tokens());
      cache.open(1, 2, 3, 4, 5, 6, 7, 8).close();
      keep(cache, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
      assertEquals(18, cache.tokens());
      assertEquals(2, cache.size());
      assertEquals(8, reached(cache, 1, 2, 3, 4, 5, 6, 7, 8));
      assertEquals(4, reached(cache, 1, 2, 3, 4, 9, 9, 9, 9));
    }
  }

  private static int reached(PrefixCache cache, int... text) {
    try (Session session = cache.open(text)) {
      return session.position();
    }
  }

  /** The tree against a list of the texts that it keeps. */
  @Test
  void everyLengthMatchesASearchThroughAllTexts() {
    Random random = new Random(5);
    List<int[]> kept = new ArrayList<>();
    try (PrefixCache cache = new PrefixCache(model, 10_000)) {
      for (int i = 0; i < 60; i++) {
        int[] text = random.ints(1 + random.nextInt(6), 0, 3).toArray();
        int longest = 0;
        for (int[] other : kept) {
          int common = Arrays.mismatch(other, text);
          longest = Math.max(longest, common < 0 ? text.length : common);
        }
        boolean logitsAtHand = kept.stream().anyMatch(other -> Arrays.equals(other, text));
        if (longest == text.length && !logitsAtHand) {
          longest--;
        }
        assertEquals(longest, reached(cache, text), Arrays.toString(text));
        keep(cache, text);
        kept.add(text);
      }
      assertEquals(
          kept.stream()
              .flatMap(
                  text ->
                      java.util.stream.IntStream.rangeClosed(1, text.length)
                          .mapToObj(n -> Arrays.toString(Arrays.copyOf(text, n))))
              .distinct()
              .count(),
          cache.tokens());
    }
  }

  @Test
  void whatCannotBeKeptIsRefused() throws IOException {
    assertThrows(IllegalArgumentException.class, () -> new PrefixCache(model, 0));
    PrefixCache cache = new PrefixCache(model, 4);
    try (Session session = model.newSession()) {
      assertFalse(cache.keep(session));
      session.append(1, 2, 3, 4, 5);
      assertFalse(cache.keep(session));
      assertEquals(0, cache.tokens());
      Path file = TinyGgufModel.write(TinySpec.of("llama"), folder.resolve("llama.gguf"));
      try (LanguageModel other =
              LanguageModel.load(file, LoadOptions.builder().kernels("reference").build());
          Session foreign = other.newSession()) {
        assertThrows(IllegalArgumentException.class, () -> cache.keep(foreign));
      }
      cache.close();
      cache.close();
      assertThrows(IllegalStateException.class, () -> cache.open(1));
      assertThrows(IllegalStateException.class, () -> cache.keep(session));
    }
  }
}
