package io.attention4j.llm.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Ids that other implementations gave for 46 texts, and text that comes back from ids. */
class TokenizerCasesTest {
  private static final Map<String, Tokenizer> LOADED = new HashMap<>();

  /** Loading takes most of the time of these tests. */
  private static Tokenizer tokenizer(String name) throws Exception {
    Tokenizer loaded = LOADED.get(name);
    if (loaded == null) {
      loaded = Tokenizer.fromGguf(Vocabularies.caseSet(name));
      LOADED.put(name, loaded);
    }
    return loaded;
  }

  @AfterAll
  static void close() {
    LOADED.values().forEach(Tokenizer::close);
    LOADED.clear();
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt-2", "llama-spm", "llama-bpe", "qwen2"})
  void givesTheExpectedIdsAndTextBack(String name) throws Exception {
    List<Vocabularies.Case> cases = Vocabularies.cases(name);
    assertEquals(46, cases.size());
    Tokenizer tokenizer = tokenizer(name);
    List<String> wrong = new ArrayList<>();
    for (Vocabularies.Case expected : cases) {
      int[] ids = tokenizer.encode(expected.text());
      if (!Arrays.equals(expected.ids(), ids)) {
        wrong.add(
            "'"
                + expected.text()
                + "': expected "
                + Arrays.toString(expected.ids())
                + " got "
                + Arrays.toString(ids));
      }
      assertEquals(expected.text(), tokenizer.decode(expected.ids()));
    }
    assertTrue(wrong.isEmpty(), () -> String.join("\n", wrong));
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt-2", "llama-spm", "llama-bpe", "qwen2"})
  void streamsRandomIdsWithoutSplittingACharacter(String name) throws Exception {
    Tokenizer tokenizer = tokenizer(name);
    Random random = new Random(name.hashCode());
    int[] emoji = tokenizer.encode("a 👩🏽‍🚀 漢字 한글 🇪🇸 ∑ é");
    for (int round = 0; round < 300; round++) {
      int[] ids = new int[1 + random.nextInt(40)];
      // A third each: from the start, where the bytes are; parts of an emoji; anything.
      Arrays.setAll(
          ids,
          i ->
              switch (random.nextInt(3)) {
                case 0 -> random.nextInt(300);
                case 1 -> emoji[random.nextInt(emoji.length)];
                default -> random.nextInt(tokenizer.vocabularySize());
              });
      int cut = random.nextInt(ids.length + 1);
      IncrementalDecoder decoder = tokenizer.newDecoder();
      StringBuilder text = new StringBuilder();
      StringBuilder beforeCut = new StringBuilder();
      for (int i = 0; i < ids.length; i++) {
        String part = decoder.accept(ids[i]);
        assertTrue(
            part.isEmpty()
                || !Character.isLowSurrogate(part.charAt(0))
                    && !Character.isHighSurrogate(part.charAt(part.length() - 1)),
            part);
        text.append(part);
        if (i + 1 == cut) {
          beforeCut.append(text);
        }
      }
      text.append(decoder.finish());
      assertEquals(tokenizer.decode(ids), text.toString());

      IncrementalDecoder rest = tokenizer.newDecoder(Arrays.copyOf(ids, cut));
      for (int i = cut; i < ids.length; i++) {
        beforeCut.append(rest.accept(ids[i]));
      }
      assertEquals(text.toString(), beforeCut.append(rest.finish()).toString());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt-2", "llama-spm", "llama-bpe", "qwen2"})
  void anyTextComesBack(String name) throws Exception {
    Tokenizer tokenizer = tokenizer(name);
    Random random = new Random(7 + name.hashCode());
    for (int round = 0; round < 300; round++) {
      StringBuilder text = new StringBuilder();
      for (int i = random.nextInt(30); i >= 0; i--) {
        int codePoint =
            switch (random.nextInt(4)) {
              case 0 -> random.nextInt(128);
              case 1 -> 0x4E00 + random.nextInt(0x5000);
              case 2 -> 0x1F300 + random.nextInt(0x300);
              default -> random.nextInt(0x3000);
            };
        text.appendCodePoint(codePoint);
      }
      assertEquals(text.toString(), tokenizer.decode(tokenizer.encode(text.toString())));
    }
  }

  @Test
  void decodesByteLevelVocabulariesLikeTheLibrary() throws Exception {
    Tokenizer tokenizer = tokenizer("gpt-2");
    TokenizersLibrary library = TokenizersLibrary.LIB;
    String json = TokenizerJson.of(new GgufVocabulary(Vocabularies.caseSet("gpt-2")));
    long handle = library.createTokenizerFromString(json);
    try {
      Random random = new Random(11);
      for (int round = 0; round < 500; round++) {
        int bound = random.nextBoolean() ? 256 : tokenizer.vocabularySize();
        int[] ids = random.ints(20, 0, bound).toArray();
        String expected = library.decode(handle, Arrays.stream(ids).asLongStream().toArray(), true);
        assertEquals(expected, tokenizer.decode(ids));
      }
    } finally {
      library.deleteTokenizer(handle);
    }
  }

  @Test
  void eightThreadsEncodeAlike() throws Exception {
    List<Vocabularies.Case> cases = Vocabularies.cases("llama-spm");
    Tokenizer tokenizer = tokenizer("llama-spm");
    List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
    List<Thread> threads = new ArrayList<>();
    for (int t = 0; t < 8; t++) {
      threads.add(
          Thread.ofPlatform()
              .uncaughtExceptionHandler((thread, failure) -> failures.add(failure))
              .start(
                  () -> {
                    for (int round = 0; round < 20; round++) {
                      for (Vocabularies.Case expected : cases) {
                        assertArrayEquals(expected.ids(), tokenizer.encode(expected.text()));
                      }
                    }
                  }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    assertEquals(List.of(), failures);
  }
}
