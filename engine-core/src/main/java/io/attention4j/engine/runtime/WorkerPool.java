package io.attention4j.engine.runtime;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
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

  private final Thread[] workers;
  private final boolean[] parked;
  private final ReentrantLock turn = new ReentrantLock(true);

  /** Number of the run in the high half, its next piece in the low half. */
  private final AtomicLong tickets = new AtomicLong();

  /** Work of the runs with even and odd numbers. */
  private final Body[] bodies = new Body[2];

  private final int[] counts = new int[2];

  /** Pieces of the run that are done. */
  private final AtomicInteger done = new AtomicInteger();

  private final AtomicReference<Throwable> failure = new AtomicReference<>();
  private volatile boolean closed;

  /**
   * Starts {@code threads - 1} daemon threads; the caller of {@link #run} is the other one.
   *
   * @throws IllegalArgumentException if threads is less than 1
   * @throws OutOfMemoryError if the system gives no further thread; none is left running then
   */
  public WorkerPool(int threads) {
    this(threads, Thread::new);
  }

  WorkerPool(int threads, ThreadFactory factory) {
    if (threads < 1) {
      throw new IllegalArgumentException("threads " + threads + " must be at least 1");
    }
    workers = new Thread[threads - 1];
    parked = new boolean[threads - 1];
    for (int i = 0; i < workers.length; i++) {
      int worker = i;
      workers[i] = factory.newThread(() -> work(worker));
      workers[i].setName("attention4j-worker-" + (i + 1));
      workers[i].setDaemon(true);
    }
    boolean complete = false;
    try {
      for (Thread worker : workers) {
        worker.start();
      }
      complete = true;
    } finally {
      if (!complete) {
        close(); // those that started may have parked already
      }
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
      int run = run(tickets.getPlain()) + 1;
      bodies[run & 1] = work;
      counts[run & 1] = count;
      done.setPlain(0);
      tickets.set(firstTicket(run));
      for (int i = 0; i < workers.length; i++) {
        if (isParked(i)) {
          LockSupport.unpark(workers[i]);
        }
      }
      drain(run, 0);
      for (int spins = 0; done.getAcquire() != count; spins++) {
        if (spins < SPINS_BEFORE_PARK) {
          Thread.onSpinWait();
        } else {
          Thread.yield();
        }
      }
      bodies[run & 1] = null; // what the body refers to must not live on in an idle pool
      Throwable thrown = failure.getAndSet(null);
      if (thrown != null) {
        throw sneaky(thrown);
      }
    } finally {
      turn.unlock();
    }
  }

  private static int run(long ticket) {
    return (int) (ticket >>> Integer.SIZE);
  }

  private static long firstTicket(int run) {
    return (long) run << Integer.SIZE;
  }

  private void work(int worker) {
    int seen = 0;
    while (true) {
      int spins = 0;
      int current;
      while ((current = run(tickets.get())) == seen) {
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
      drain(current, worker + 1);
    }
  }

  private void parkUntilNext(int worker, int seen) {
    PARKED.setVolatile(parked, worker, true);
    if (run(tickets.get()) == seen && !closed) {
      LockSupport.park(this);
    }
    PARKED.setVolatile(parked, worker, false);
  }

  private boolean isParked(int worker) {
    return (boolean) PARKED.getVolatile(parked, worker);
  }

  /**
   * Takes pieces of a run until there are none. A worker that comes so late that the run is over
   * finds another run on the ticket and leaves: its slot of {@link #bodies} is written again only
   * after that.
   */
  private void drain(int run, int worker) {
    Body work = bodies[run & 1];
    int count = counts[run & 1];
    long ticket;
    while (run(ticket = tickets.get()) == run && (int) ticket < count) {
      if (!tickets.weakCompareAndSetVolatile(ticket, ticket + 1)) {
        continue;
      }
      try {
        work.run((int) ticket, worker);
      } catch (Throwable e) {
        failure.compareAndSet(null, e); // the caller rethrows it
      } finally {
        done.getAndIncrement();
      }
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
