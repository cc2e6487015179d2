package io.attention4j.llm.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Ids that other implementations gave for 46 texts, and text that comes back from ids. */
class TokenizerCasesTest {

  @ParameterizedTest
  @ValueSource(strings = {"gpt-2", "llama-spm", "llama-bpe", "qwen2"})
  void givesTheExpectedIdsAndTextBack(String name) throws Exception {
    List<Vocabularies.Case> cases = Vocabularies.cases(name);
    assertEquals(46, cases.size());
    try (Tokenizer tokenizer = Tokenizer.fromGguf(Vocabularies.caseSet(name))) {
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
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt-2", "llama-spm", "llama-bpe", "qwen2"})
  void streamsRandomIdsWithoutSplittingACharacter(String name) throws Exception {
    try (Tokenizer tokenizer = Tokenizer.fromGguf(Vocabularies.caseSet(name))) {
      Random random = new Random(name.hashCode());
      int[] emoji = tokenizer.encode("a 👩🏽‍🚀 漢字 한글 🇪🇸 ∑ é");
      for (int round = 0; round < 300; round++) {
        int[] ids = new int[1 + random.nextInt(40)];
        // Half of the ids come from the start, where the bytes are, half from an emoji's parts.
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
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt-2", "llama-spm", "llama-bpe", "qwen2"})
  void anyTextComesBack(String name) throws Exception {
    try (Tokenizer tokenizer = Tokenizer.fromGguf(Vocabularies.caseSet(name))) {
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
  }

  @Test
  void eightThreadsEncodeAlike() throws Exception {
    List<Vocabularies.Case> cases = Vocabularies.cases("llama-spm");
    try (Tokenizer tokenizer = Tokenizer.fromGguf(Vocabularies.caseSet("llama-spm"))) {
      List<Throwable> failures = java.util.Collections.synchronizedList(new ArrayList<>());
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
}
