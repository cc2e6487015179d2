package io.attention4j.benchmarks.decode;

import io.attention4j.cli.Work;
import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.LoadOptions;
import io.attention4j.llm.MemoryEstimate;
import io.attention4j.llm.Session;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;

/** A model in this JVM. */
final class OurEngine implements TokenEngine {
  private static final long SEED = 42;

  /** So long that a last page half full does not matter to the bytes of a token. */
  private static final int COUNTED_TOKENS = 1 << 16;

  private final LanguageModel model;
  private final Work work;
  private final Map<Integer, Session> sessions = new HashMap<>();
  private final Random random = new Random(SEED);

  OurEngine(Path file, LoadOptions options) throws IOException {
    LoadOptions counted =
        LoadOptions.builder()
            .contextTokens(COUNTED_TOKENS)
            .threads(options.threads())
            .kernels(options.kernels())
            .build();
    MemoryEstimate kv = LanguageModel.estimate(file, counted);
    model = LanguageModel.load(file, options);
    work = new Work(model.info(), kv);
  }

  /** Counts bytes and operations. */
  Work work() {
    return work;
  }

  @Override
  public String name() {
    return "attention4j";
  }

  @Override
  public void fill(int depth) {
    Session session = model.newSession();
    sessions.put(depth, session);
    if (depth > 0) {
      session.append(randomTokens(depth));
    }
  }

  @Override
  public double decodeSeconds(int depth, int tokens) {
    Session session = sessions.get(depth);
    session.rewind(depth);
    int[] token = randomTokens(1);
    long start = System.nanoTime();
    for (int i = 0; i < tokens; i++) {
      session.append(token);
      token[0] = argmax(session.logits());
    }
    return (System.nanoTime() - start) / 1e9;
  }

  @Override
  public double prefillSeconds(int tokens) {
    Session session = sessions.get(0);
    session.rewind(0);
    int[] prompt = randomTokens(tokens);
    long start = System.nanoTime();
    session.append(prompt);
    return (System.nanoTime() - start) / 1e9;
  }

  private int[] randomTokens(int count) {
    return random.ints(count, 0, model.info().config().sizes().vocabulary()).toArray();
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

  @Override
  public void close() {
    sessions.values().forEach(Session::close);
    model.close();
  }
}
