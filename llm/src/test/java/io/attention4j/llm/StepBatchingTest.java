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
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
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

  /** A step that fails inside a pass goes back alone; those that were with it get their results. */
  @Test
  void aFailingSessionDoesNotFailTheOthers() throws Exception {
    try (LanguageModel model = load();
        Session first = model.newSession();
        Session bad = model.newSession();
        Session good = model.newSession();
        Session expected = model.newSession()) {
      expected.append(3, 4);
      bad.append(3);
      good.append(3);
      CountDownLatch hold = new CountDownLatch(1);
      CountDownLatch held = new CountDownLatch(1);
      Thread holder =
          Thread.ofPlatform()
              .start(
                  () ->
                      model
                          .scheduler()
                          .exclusively(
                              () -> {
                                held.countDown();
                                awaitQuietly(hold);
                              }));
      held.await();
      long before = model.scheduler().passes();
      AtomicReference<Throwable> failure = new AtomicReference<>();
      List<Thread> threads =
          List.of(
              started(() -> first.appendToken(1, 0), failure),
              started(() -> bad.appendToken(-1, 0), failure), // past the check of append
              started(() -> good.appendToken(4, 0), failure));
      hold.countDown();
      for (Thread thread : threads) {
        thread.join();
      }
      holder.join();
      assertEquals(2, model.scheduler().passes() - before);
      assertInstanceOf(RuntimeException.class, failure.get());
      assertEquals(1, bad.position());
      assertArrayEquals(expected.logits(), good.logits());
      bad.append(4);
      assertArrayEquals(expected.logits(), bad.logits());
    }
  }

  /** Starts a thread and returns once it waits for the decoder. */
  private static Thread started(Runnable action, AtomicReference<Throwable> failure)
      throws InterruptedException {
    Thread thread = Thread.ofPlatform().unstarted(action);
    thread.setUncaughtExceptionHandler((t, e) -> failure.set(e));
    thread.start();
    while (thread.getState() != Thread.State.WAITING) {
      Thread.sleep(1);
    }
    return thread;
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
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
