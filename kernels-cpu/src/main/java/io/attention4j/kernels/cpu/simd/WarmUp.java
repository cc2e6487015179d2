package io.attention4j.kernels.cpu.simd;

/**
 * Has a vector loop compiled beside the first work. Until C2 has compiled it, a call of the Vector
 * API is a call that allocates its result, some thousand times slower; a loop in plain Java with
 * the same result, bit for bit, does the work meanwhile. Which of the two runs therefore shows in
 * nothing but time.
 *
 * <p>One instance a loop and JVM, since code is compiled once a JVM. Safe for all threads.
 */
final class WarmUp {
  /** If the loop is slow for so long, this JVM does not compile it, and plain Java stays. */
  private static final long PATIENCE_NANOS = 20_000_000_000L;

  /** Calls in a row that must be fast: one may be chance. */
  private static final int FAST_CALLS = 3;

  private final String name;
  private final Runnable call;
  private final long compiledNanos;
  private Thread thread;
  private volatile boolean ready;

  /**
   * A loop that {@link #start} has compiled.
   *
   * @param name for the thread
   * @param call the loop over a few hundred vectors; a short one, since C2 counts calls
   * @param compiledNanos what it takes at most once it is compiled
   */
  WarmUp(String name, Runnable call, long compiledNanos) {
    this.name = name;
    this.call = call;
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
    while (fast < FAST_CALLS) {
      long start = System.nanoTime();
      if (start > end) {
        return;
      }
      call.run();
      fast = System.nanoTime() - start <= compiledNanos ? fast + 1 : 0;
    }
    ready = true;
  }
}
