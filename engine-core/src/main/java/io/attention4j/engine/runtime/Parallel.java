package io.attention4j.engine.runtime;

/** Runs the pieces of one piece of work on a fixed set of threads. */
public interface Parallel extends AutoCloseable {
  /** A piece of work; must not throw for valid input and must not call {@link #run} itself. */
  @FunctionalInterface
  interface Body {
    /** Computes piece {@code index} on worker {@code worker} (0 .. threads-1), both 0-based. */
    void run(int index, int worker);
  }

  /** Threads, the caller included. */
  int threads();

  /**
   * Runs {@code body} for every index in [0, pieces) and returns when all are done; the caller
   * works too. Pieces are handed out in ascending order, one at a time. Concurrent callers take
   * turns. The first exception of a piece is rethrown here after all threads stopped. Allocates
   * nothing.
   */
  void run(int pieces, Body body);

  @Override
  void close();

  /** Runs everything on the caller. */
  static Parallel single() {
    return new Parallel() {
      @Override
      public int threads() {
        return 1;
      }

      @Override
      public synchronized void run(int pieces, Body body) {
        for (int i = 0; i < pieces; i++) {
          body.run(i, 0);
        }
      }

      @Override
      public void close() {}
    };
  }
}
