package io.attention4j.kernels.cpu.simd;

import java.util.concurrent.locks.LockSupport;
import java.util.function.IntConsumer;

/**
 * Has a vector loop compiled beside the first work. Until C2 has compiled it, a call of the Vector
 * API is a call that allocates its result, some thousand times slower; a loop in plain Java with
 * the same result, bit for bit, does the work meanwhile. Which of the two runs therefore shows in
 * nothing but time.
 *
 * <p>One instance a loop and JVM, since code is compiled once a JVM. Safe for all threads.
 */
final class WarmUp {
  /**
   * After so long the loop is taken as it is: on a busy machine compiled calls may be slow too, and
   * plain Java must not stay for that.
   */
  private static final long PATIENCE_NANOS = 20_000_000_000L;

  /** Calls in a row that must be fast: one may be chance. */
  private static final int FAST_CALLS = 3;

  /**
   * Calls without a turn for each with some. C2 compiles what was called often; those with turns
   * tell it that the loop is taken.
   */
  private static final int EMPTY_CALLS = 50;

  private final String name;
  private final IntConsumer loop;
  private final int turns;
  private final long compiledNanos;
  private Thread thread;
  private volatile boolean ready;

  /**
   * A loop that {@link #start} has compiled.
   *
   * @param name for the thread
   * @param loop a call of the loop with a number of turns
   * @param turns of a call that is timed
   * @param compiledNanos what it takes at most once it is compiled
   */
  WarmUp(String name, IntConsumer loop, int turns, long compiledNanos) {
    this.name = name;
    this.loop = loop;
    this.turns = turns;
    this.compiledNanos = compiledNanos;
  }

  /** Starts the thread that calls the loop until it is compiled; the second call does nothing. */
  synchronized void start() {
    if (thread == null) {
      thread = new Thread(this::work, "attention4j-warm-up-" + name);
      thread.setDaemon(true);
      thread.start();
    }
  }

  /** Whether the loop is compiled; starts what is needed for it. */
  boolean ready() {
    if (ready) {
      return true;
    }
    start();
    return false;
  }

  private void work() {
    long end = System.nanoTime() + PATIENCE_NANOS;
    int fast = 0;
    long start;
    while (fast < FAST_CALLS && (start = System.nanoTime()) < end) {
      loop.accept(turns);
      long nanos = System.nanoTime() - start;
      fast = nanos <= compiledNanos ? fast + 1 : 0;
      for (int i = 0; i < EMPTY_CALLS && fast == 0; i++) {
        loop.accept(0);
      }
      LockSupport.parkNanos(nanos);
    }
    ready = true;
  }
}
