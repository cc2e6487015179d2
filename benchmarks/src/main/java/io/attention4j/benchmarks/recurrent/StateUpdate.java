package io.attention4j.benchmarks.recurrent;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.runtime.WorkerPool;

/**
 * Reads every element of as much memory as the states of some heads take and writes it back: what
 * decoding cannot beat where states lie beyond the caches. One array per head, so that a thread
 * walks through memory as a scan's does.
 */
final class StateUpdate implements Runnable, AutoCloseable, Parallel.Body {
  private final float[][] states;
  private final int pieces;
  private final Parallel workers;

  StateUpdate(int heads, int dim, int threads) {
    states = new float[heads][dim * dim];
    pieces = Math.min(heads, threads);
    workers = new WorkerPool(threads);
  }

  @Override
  public void run() {
    workers.run(pieces, this);
  }

  @Override
  public void run(int index, int worker) {
    int end = (int) ((index + 1L) * states.length / pieces);
    for (int head = (int) ((long) index * states.length / pieces); head < end; head++) {
      update(states[head]);
    }
  }

  /** The loop that C2 makes vectors of. */
  private static void update(float[] state) {
    for (int i = 0; i < state.length; i++) {
      state[i] = state[i] * 0.9375f + 1f;
    }
  }

  @Override
  public void close() {
    workers.close();
  }
}
