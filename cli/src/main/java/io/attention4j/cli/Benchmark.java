package io.attention4j.cli;

import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.Session;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Times prefill and decoding of a loaded model. */
final class Benchmark {
  /** Which tokens are run hardly matters for speed; that they are the same everywhere does. */
  static final long TOKEN_SEED = 42;

  /**
   * Tokens per second of one test.
   *
   * @param name prefill or decode
   * @param tokens tokens of one repetition
   * @param depth tokens in the session before
   * @param samples tokens per second of each repetition
   * @param bytesPerToken bytes that a token must at least read, a mean over the repetition
   * @param operationsPerToken floating-point operations of a token, a mean over the repetition
   */
  record Result(
      String name,
      int tokens,
      int depth,
      double[] samples,
      double bytesPerToken,
      double operationsPerToken) {
    double mean() {
      return Arrays.stream(samples).average().orElseThrow();
    }

    double min() {
      return Arrays.stream(samples).min().orElseThrow();
    }

    double max() {
      return Arrays.stream(samples).max().orElseThrow();
    }

    double gigabytesPerSecond() {
      return mean() * bytesPerToken / 1e9;
    }

    double gigaflopPerSecond() {
      return mean() * operationsPerToken / 1e9;
    }
  }

  /** What is timed: it gets a session of {@code depth} tokens. */
  @FunctionalInterface
  private interface Body {
    void run(Session session);
  }

  private final LanguageModel model;
  private final Work work;
  private final int depth;
  private final int warmups;
  private final int repetitions;
  private final Random random = new Random(TOKEN_SEED);

  Benchmark(LanguageModel model, Work work, int depth, int warmups, int repetitions) {
    this.model = model;
    this.work = work;
    this.depth = depth;
    this.warmups = warmups;
    this.repetitions = repetitions;
  }

  /** Prefill of {@code promptTokens}, then decoding of {@code newTokens}; 0 leaves one out. */
  List<Result> run(int promptTokens, int newTokens) {
    List<Result> results = new ArrayList<>();
    try (Session session = model.newSession()) {
      session.append(randomTokens(depth));
      if (promptTokens > 0) {
        int[] prompt = randomTokens(promptTokens);
        results.add(prefill(promptTokens, time(session, promptTokens, s -> s.append(prompt))));
      }
      if (newTokens > 0) {
        int first = randomTokens(1)[0];
        results.add(decode(newTokens, time(session, newTokens, s -> greedy(s, first, newTokens))));
      }
    }
    return results;
  }

  /** Bytes and operations of prefill are those of its passes, of a batch of tokens each. */
  private Result prefill(int tokens, double[] samples) {
    int batch = Math.min(model.info().options().maxBatchRows(), model.info().contextTokens());
    double bytes = 0;
    double operations = 0;
    for (int from = 0; from < tokens; from += batch) {
      int count = Math.min(batch, tokens - from);
      bytes += work.passBytes(depth + from, count);
      operations += work.passOperations(depth + from, count);
    }
    return new Result("prefill", tokens, depth, samples, bytes / tokens, operations / tokens);
  }

  private Result decode(int tokens, double[] samples) {
    double bytes = 0;
    double operations = 0;
    for (int i = 0; i < tokens; i++) {
      bytes += work.passBytes(depth + i, 1);
      operations += work.passOperations(depth + i, 1);
    }
    return new Result("decode", tokens, depth, samples, bytes / tokens, operations / tokens);
  }

  private double[] time(Session session, int tokens, Body body) {
    double[] samples = new double[repetitions];
    for (int i = -warmups; i < repetitions; i++) {
      session.rewind(depth);
      long start = System.nanoTime();
      body.run(session);
      long nanos = System.nanoTime() - start;
      if (i >= 0) {
        samples[i] = tokens * 1e9 / nanos;
      }
    }
    session.rewind(depth);
    return samples;
  }

  /** Feeds every most probable token back, and looks for no end and no text. */
  private static void greedy(Session session, int first, int tokens) {
    int token = first;
    for (int i = 0; i < tokens; i++) {
      session.append(new int[] {token});
      token = argmax(session.logits());
    }
  }

  private static int argmax(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      if (logits[i] > logits[best]) {
        best = i;
      }
    }
    return best;
  }

  private int[] randomTokens(int count) {
    return random.ints(count, 0, model.info().config().sizes().vocabulary()).toArray();
  }
}
