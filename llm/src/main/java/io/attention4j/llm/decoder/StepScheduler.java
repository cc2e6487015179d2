package io.attention4j.llm.decoder;

import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.Truncation;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Lets sessions of several threads share the decoder. A thread hands in its step and waits; whoever
 * finds the decoder free takes the steps that wait, single tokens first and then prompt chunks in
 * the order they came, up to the decoder's rows, and runs them in one pass for all. A session that
 * decodes is thus never more than one pass behind a long prompt.
 *
 * <p>Sessions that decoded in the last pass are likely to be back in a moment, while each samples
 * its token. The next pass waits for them for an eighth of the last one's time at most: reading the
 * weights once for all is worth more than that.
 */
public final class StepScheduler {
  private static final long MAX_WAIT_NANOS = 2_000_000;
  private static final int WAIT_SHARE = 8;

  private final Decoder decoder;

  /** Held while the decoder runs or states are changed. */
  private final ReentrantLock forward = new ReentrantLock(true);

  /** Guards all fields below. */
  private final ReentrantLock lock = new ReentrantLock();

  private final Condition arrived = lock.newCondition();
  private final ArrayDeque<Step> tokens = new ArrayDeque<>();
  private final ArrayDeque<Step> chunks = new ArrayDeque<>();
  private Step[] batch = new Step[4];
  private int batchSize;
  private boolean chunkWaited;
  private boolean busy;
  private volatile boolean closed; // read under either lock
  private long pass;
  private int expected;
  private long lastPassNanos;

  private final Step[] alone = new Step[1];

  /** A scheduler for the sessions of one decoder. */
  public StepScheduler(Decoder decoder) {
    this.decoder = decoder;
  }

  /**
   * Runs a step, alone or with others, and returns when its results are delivered. If it fails, the
   * states go back to where they were before it, or forget everything if they cannot.
   *
   * @throws IllegalStateException if the model is closed
   */
  public void run(Step step) {
    lock.lock();
    try {
      enter(step);
      while (!step.done) {
        if (busy) {
          step.changed.awaitUninterruptibly();
        } else {
          lead();
        }
      }
    } finally {
      lock.unlock();
    }
    if (step.failure != null) {
      throw StepScheduler.<RuntimeException>rethrown(step.failure);
    }
  }

  /** Runs an action on states while no pass is under way. */
  public void exclusively(Runnable action) {
    forward.lock();
    try {
      action.run();
    } finally {
      forward.unlock();
    }
  }

  /** Refuses further steps; those that wait fail. Returns when no pass is under way. */
  public void close() {
    lock.lock();
    try {
      closed = true;
    } finally {
      lock.unlock();
    }
    exclusively(() -> {});
  }

  /** Passes run so far. */
  public long passes() {
    lock.lock();
    try {
      return pass;
    } finally {
      lock.unlock();
    }
  }

  private void enter(Step step) {
    if (step.rows < 1 || step.rows > decoder.maxRows()) {
      throw new IllegalArgumentException(
          step.rows + " rows of a step are outside 1.." + decoder.maxRows());
    }
    if (step.changed == null) {
      step.changed = lock.newCondition();
    }
    step.done = false;
    step.failure = null;
    (step.rows == 1 ? tokens : chunks).add(step);
    if (step.pass == pass && --expected == 0) {
      arrived.signal();
    }
  }

  /** Runs one pass; called and left with the lock held. */
  private void lead() {
    busy = true;
    awaitOthers();
    collect();
    lock.unlock();
    long start = System.nanoTime();
    try {
      runBatch();
    } finally {
      lock.lock();
      lastPassNanos = System.nanoTime() - start;
      finish();
      busy = false;
      Step next = tokens.isEmpty() ? chunks.peek() : tokens.peek();
      if (next != null) {
        next.changed.signal();
      }
    }
  }

  private void awaitOthers() {
    long left = Math.min(MAX_WAIT_NANOS, lastPassNanos / WAIT_SHARE);
    try {
      while (expected > 0 && left > 0) {
        left = arrived.awaitNanos(left);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // the step itself goes on; its owner looks at the flag
    }
  }

  private void collect() {
    batchSize = 0;
    int room = decoder.maxRows();
    if (chunkWaited && !chunks.isEmpty()) {
      room = take(chunks, room);
    }
    while (!tokens.isEmpty() && room > 0) {
      room = take(tokens, room);
    }
    while (!chunks.isEmpty() && chunks.peek().rows <= room) {
      room = take(chunks, room);
    }
    chunkWaited = !chunks.isEmpty();
  }

  private int take(ArrayDeque<Step> queue, int room) {
    if (batchSize == batch.length) {
      batch = Arrays.copyOf(batch, 2 * batchSize);
    }
    Step step = queue.poll();
    batch[batchSize++] = step;
    return room - step.rows;
  }

  private void finish() {
    pass++;
    expected = 0;
    for (int i = 0; i < batchSize; i++) {
      Step step = batch[i];
      batch[i] = null;
      if (step.rows == 1) {
        step.pass = pass;
        expected++;
      }
      step.done = true;
      step.changed.signal();
    }
  }

  private void runBatch() {
    forward.lock();
    try {
      if (closed) {
        fail(new IllegalStateException("the model is closed"));
        return;
      }
      try {
        decoder.run(batch, batchSize);
      } catch (Throwable e) {
        recover(e);
      }
    } finally {
      forward.unlock();
    }
  }

  /** One bad step must not fail the others: they go back and run one by one. */
  private void recover(Throwable failure) {
    for (int i = 0; i < batchSize; i++) {
      rollBack(batch[i], failure);
    }
    if (batchSize == 1) {
      batch[0].failure = failure;
      return;
    }
    for (int i = 0; i < batchSize; i++) {
      if (batch[i].lost) {
        batch[i].failure = failure;
        continue;
      }
      alone[0] = batch[i];
      try {
        decoder.run(alone, 1);
      } catch (Throwable e) {
        rollBack(batch[i], e);
        batch[i].failure = e;
      }
    }
  }

  private void fail(RuntimeException failure) {
    for (int i = 0; i < batchSize; i++) {
      batch[i].failure = failure;
    }
  }

  private static void rollBack(Step step, Throwable failure) {
    try {
      for (LayerState state : step.states) {
        if (state.length() > step.position
            && state.truncateTo(step.position) instanceof Truncation.Refused) {
          step.lost = true;
        }
      }
      if (step.lost) {
        for (LayerState state : step.states) {
          state.reset();
        }
      }
    } catch (RuntimeException e) {
      step.lost = true;
      failure.addSuppressed(e);
    }
  }

  @SuppressWarnings("unchecked")
  private static <E extends Throwable> RuntimeException rethrown(Throwable thrown) throws E {
    throw (E) thrown;
  }
}
