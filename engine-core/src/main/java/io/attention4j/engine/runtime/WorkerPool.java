package io.attention4j.engine.runtime;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A fixed pool whose workers spin for some microseconds after their work and then park. A decoder
 * dispatches hundreds of small pieces of work per token; waking a parked thread for each would cost
 * more than many of them take.
 */
public final class WorkerPool implements Parallel {
  /**
   * Spins before a worker parks, and before the caller lets others have its processor: about 50 us
   * at the 35 to 65 ns that a spin-wait hint takes on current x86. Far longer, and threads in
   * excess of the free processors would spend whole time slices waiting for those that compute.
   */
  private static final int SPINS_BEFORE_PARK = 1_000;

  private static final VarHandle PARKED = MethodHandles.arrayElementVarHandle(boolean[].class);
  private static final VarHandle GENERATION;

  static {
    try {
      GENERATION = MethodHandles.lookup().findVarHandle(WorkerPool.class, "generation", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final Thread[] workers;
  private final boolean[] parked;
  private final ReentrantLock turn = new ReentrantLock(true);
  private final AtomicInteger next = new AtomicInteger();
  private final AtomicInteger running = new AtomicInteger();
  private final AtomicReference<Throwable> failure = new AtomicReference<>();
  private Body body;
  private int pieces;
  private volatile boolean closed;

  @SuppressWarnings("unused") // through GENERATION
  private int generation;

  /**
   * Starts {@code threads - 1} daemon threads; the caller of {@link #run} is the other one.
   *
   * @throws IllegalArgumentException if threads is less than 1
   */
  public WorkerPool(int threads) {
    if (threads < 1) {
      throw new IllegalArgumentException("threads " + threads + " must be at least 1");
    }
    workers = new Thread[threads - 1];
    parked = new boolean[threads - 1];
    for (int i = 0; i < workers.length; i++) {
      int worker = i;
      workers[i] = new Thread(() -> work(worker), "attention4j-worker-" + (i + 1));
      workers[i].setDaemon(true);
      workers[i].start();
    }
  }

  @Override
  public int threads() {
    return workers.length + 1;
  }

  @Override
  public void run(int count, Body work) {
    turn.lock();
    try {
      if (closed) {
        throw new IllegalStateException("the worker pool is closed");
      }
      if (count <= 1 || workers.length == 0) {
        for (int i = 0; i < count; i++) {
          work.run(i, 0);
        }
        return;
      }
      body = work;
      pieces = count;
      next.setPlain(0);
      running.setPlain(workers.length);
      GENERATION.setVolatile(this, generation + 1);
      for (int i = 0; i < workers.length; i++) {
        if (isParked(i)) {
          LockSupport.unpark(workers[i]);
        }
      }
      drain(0);
      for (int spins = 0; running.getAcquire() != 0; spins++) {
        if (spins < SPINS_BEFORE_PARK) {
          Thread.onSpinWait();
        } else {
          Thread.yield();
        }
      }
      body = null;
      Throwable thrown = failure.getAndSet(null);
      if (thrown != null) {
        throw sneaky(thrown);
      }
    } finally {
      turn.unlock();
    }
  }

  private void work(int worker) {
    int seen = 0;
    while (true) {
      int spins = 0;
      int current;
      while ((current = (int) GENERATION.getVolatile(this)) == seen) {
        if (closed) {
          return;
        }
        if (++spins < SPINS_BEFORE_PARK) {
          Thread.onSpinWait();
        } else {
          parkUntilNext(worker, seen);
        }
      }
      seen = current;
      drain(worker + 1);
      running.getAndDecrement();
    }
  }

  private void parkUntilNext(int worker, int seen) {
    PARKED.setVolatile(parked, worker, true);
    if ((int) GENERATION.getVolatile(this) == seen && !closed) {
      LockSupport.park(this);
    }
    PARKED.setVolatile(parked, worker, false);
  }

  private boolean isParked(int worker) {
    return (boolean) PARKED.getVolatile(parked, worker);
  }

  private void drain(int worker) {
    Body work = body;
    int count = pieces;
    try {
      int index;
      while ((index = next.getAndIncrement()) < count) {
        work.run(index, worker);
      }
    } catch (Throwable e) {
      // The caller rethrows it; the other threads stop at the next piece.
      failure.compareAndSet(null, e);
      next.set(count);
    }
  }

  @SuppressWarnings("unchecked")
  private static <E extends Throwable> RuntimeException sneaky(Throwable thrown) throws E {
    throw (E) thrown;
  }

  @Override
  public void close() {
    turn.lock();
    try {
      closed = true;
    } finally {
      turn.unlock();
    }
    for (Thread worker : workers) {
      LockSupport.unpark(worker);
    }
    boolean interrupted = false;
    for (Thread worker : workers) {
      while (worker.isAlive()) {
        try {
          worker.join();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
