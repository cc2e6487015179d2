package io.attention4j.llm;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;

/** A process that stops in the middle of a save and waits to be killed. */
final class SaveUntilKilled {
  private SaveUntilKilled() {}

  /** Arguments: model, file to save to, bytes of the layers after which to stop, tokens. */
  public static void main(String[] arguments) throws Exception {
    long stopAfter = Long.parseLong(arguments[2]);
    SavingCaches.Hook hook =
        saved -> {
          if (saved >= stopAfter) {
            stop();
          }
        };
    try (LanguageModel model =
            LanguageModel.load(
                Path.of(arguments[0]),
                SessionFaultTest.OPTIONS,
                context -> new SavingCaches(SessionFaultTest.CACHE, context, hook));
        Session session = model.newSession()) {
      session.append(Arrays.stream(arguments).skip(3).mapToInt(Integer::parseInt).toArray());
      session.save(Path.of(arguments[1]));
      stop(); // whole, with the process still there
    }
  }

  private static void stop() {
    System.out.println("stopped");
    try {
      new CountDownLatch(1).await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
