package io.attention4j.llm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.llm.tiny.TinyGgufModel;
import io.attention4j.llm.tiny.TinySpec;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Sessions that step together. */
class StepBatchingTest {
  private static final int SESSIONS = 6;
  private static final int NEW_TOKENS = 20;

  @TempDir Path folder;

  private LanguageModel load() throws IOException {
    Path file = TinyGgufModel.write(TinySpec.of("qwen3"), folder.resolve("qwen3.gguf"));
    LoadOptions options =
        LoadOptions.builder().kernels("reference").kvCache("f32").maxBatchRows(8).build();
    return LanguageModel.load(file, options);
  }

  /** Prompts of 1 to 21 tokens: some are single tokens, some several chunks. */
  private static GenerationRequest request(int session) {
    List<Integer> prompt = new ArrayList<>();
    for (int i = 0; i <= 4 * session; i++) {
      prompt.add((17 * session + 31 * i) % TinySpec.VOCABULARY);
    }
    return GenerationRequest.builder()
        .promptTokens(prompt)
        .maxTokens(NEW_TOKENS)
        .ignoreEnd(true)
        .build();
  }

  @Test
  void aSessionDoesNotNoticeTheOthers() throws Exception {
    try (LanguageModel model = load()) {
      List<int[]> alone = new ArrayList<>();
      List<float[]> aloneLogits = new ArrayList<>();
      for (int s = 0; s < SESSIONS; s++) {
        try (Session session = model.newSession()) {
          alone.add(session.generate(request(s)).run().tokens());
          aloneLogits.add(session.logits());
        }
      }
      long before = model.scheduler().passes();
      List<Future<?>> together = new ArrayList<>();
      try (ExecutorService threads = Executors.newFixedThreadPool(SESSIONS)) {
        for (int s = 0; s < SESSIONS; s++) {
          int id = s;
          together.add(
              threads.submit(
                  () -> {
                    try (Session session = model.newSession()) {
                      assertArrayEquals(
                          alone.get(id), session.generate(request(id)).run().tokens());
                      assertArrayEquals(aloneLogits.get(id), session.logits());
                    }
                  }));
        }
      }
      for (Future<?> future : together) {
        future.get();
      }
      long passes = model.scheduler().passes() - before;
      assertTrue(
          passes < SESSIONS * NEW_TOKENS,
          passes + " passes for " + SESSIONS * NEW_TOKENS + " tokens: none went together");
    }
  }

  @Test
  void closingTheModelEndsRunningGenerations() throws Exception {
    LanguageModel model = load();
    try (ExecutorService threads = Executors.newSingleThreadExecutor()) {
      Session session = model.newSession();
      Generation generation =
          session.generate(
              GenerationRequest.builder().promptTokens(List.of(1)).ignoreEnd(true).build());
      var pieces = generation.iterator();
      pieces.next();
      Future<Integer> rest =
          threads.submit(
              () -> {
                model.close();
                int count = 0;
                while (pieces.hasNext()) {
                  pieces.next();
                  count++;
                }
                return count;
              });
      Throwable cause = null;
      try {
        rest.get();
      } catch (ExecutionException e) {
        cause = e.getCause();
      }
      assertInstanceOf(IllegalStateException.class, cause);
      model.close();
      session.close();
      assertEquals(1, generation.finishReason().isEmpty() ? 1 : 0);
    }
  }
}
