package io.attention4j.benchmarks.measure;

import java.time.Duration;

/**
 * Times a body in this JVM, repeated until a sample is long enough for the clock and for the
 * scheduler's hiccups; how often follows from the sample before.
 */
public final class TimedLoop implements Contender {
  private static final long MOST_CALLS = 1 << 20;

  private final String name;
  private final Duration sample;
  private final Runnable body;
  private long calls = 1;

  /**
   * A loop of which one sample takes about {@code sample}, or one call where that takes longer.
   *
   * @param body must leave a result where the JIT cannot drop it
   */
  public TimedLoop(String name, Duration sample, Runnable body) {
    this.name = name;
    this.sample = sample;
    this.body = body;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public double sampleSeconds() {
    long start = System.nanoTime();
    for (long i = 0; i < calls; i++) {
      body.run();
    }
    double seconds = (System.nanoTime() - start) / 1e9 / calls;
    calls = Math.clamp((long) Math.ceil(sample.toNanos() / 1e9 / seconds), 1, MOST_CALLS);
    return seconds;
  }
}
