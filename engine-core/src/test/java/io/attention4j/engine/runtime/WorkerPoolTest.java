package io.attention4j.engine.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(30)
class WorkerPoolTest {
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 8})
  void everyIndexRunsOnce(int threads) {
    try (WorkerPool pool = new WorkerPool(threads)) {
      assertEquals(threads, pool.threads());
      for (int pieces : new int[] {0, 1, 2, 3, 7, 64, 1000}) {
        AtomicIntegerArray counts = new AtomicIntegerArray(pieces);
        AtomicInteger badWorkers = new AtomicInteger();
        pool.run(
            pieces,
            (index, worker) -> {
              counts.incrementAndGet(index);
              if (worker < 0 || worker >= threads) {
                badWorkers.incrementAndGet();
              }
            });
        for (int i = 0; i < pieces; i++) {
          assertEquals(1, counts.get(i), "index " + i + " of " + pieces);
        }
        assertEquals(0, badWorkers.get());
      }
    }
  }

  @Test
  void aWorkerNeverRunsTwoPiecesAtOnce() {
    try (WorkerPool pool = new WorkerPool(4)) {
      AtomicIntegerArray busy = new AtomicIntegerArray(4);
      AtomicInteger overlaps = new AtomicInteger();
      for (int round = 0; round < 200; round++) {
        pool.run(
            64,
            (index, worker) -> {
              if (busy.incrementAndGet(worker) != 1) {
                overlaps.incrementAndGet();
              }
              busy.decrementAndGet(worker);
            });
      }
      assertEquals(0, overlaps.get());
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4, 8})
  void writesOfPiecesAreVisibleAfterRun(int threads) {
    try (WorkerPool pool = new WorkerPool(threads)) {
      int[] values = new int[256];
      for (int round = 1; round <= 500; round++) {
        int current = round;
        pool.run(values.length, (index, worker) -> values[index] += current);
      }
      int expected = 500 * 501 / 2;
      for (int value : values) {
        assertEquals(expected, value);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4, 8})
  void anExceptionReachesTheCallerAndThePoolLivesOn(int threads) {
    try (WorkerPool pool = new WorkerPool(threads)) {
      for (int round = 0; round < 50; round++) {
        IllegalStateException thrown = new IllegalStateException("piece 13");
        AtomicInteger after = new AtomicInteger();
        IllegalStateException caught =
            assertThrows(
                IllegalStateException.class,
                () ->
                    pool.run(
                        10_000,
                        (index, worker) -> {
                          if (index == 13) {
                            throw thrown;
                          }
                          after.incrementAndGet();
                        }));
        assertSame(thrown, caught);
        assertTrue(after.get() < 10_000);
        AtomicInteger count = new AtomicInteger();
        pool.run(100, (index, worker) -> count.incrementAndGet());
        assertEquals(100, count.get());
      }
    }
  }

  @Test
  void anErrorOfAPieceReachesTheCallerToo() {
    try (WorkerPool pool = new WorkerPool(3)) {
      assertThrows(
          StackOverflowError.class,
          () ->
              pool.run(
                  8,
                  (index, worker) -> {
                    throw new StackOverflowError();
                  }));
    }
  }

  @Test
  void concurrentCallersTakeTurns() throws InterruptedException {
    try (WorkerPool pool = new WorkerPool(4)) {
      AtomicIntegerArray running = new AtomicIntegerArray(6);
      AtomicInteger overlaps = new AtomicInteger();
      AtomicInteger sum = new AtomicInteger();
      List<Thread> callers = new ArrayList<>();
      for (int caller = 0; caller < 6; caller++) {
        int own = caller;
        Parallel.Body body =
            (index, worker) -> {
              running.incrementAndGet(own);
              for (int other = 0; other < 6; other++) {
                overlaps.addAndGet(other == own ? 0 : running.get(other));
              }
              sum.incrementAndGet();
              running.decrementAndGet(own);
            };
        callers.add(
            Thread.ofPlatform()
                .start(
                    () -> {
                      for (int round = 0; round < 200; round++) {
                        pool.run(16, body);
                      }
                    }));
      }
      for (Thread thread : callers) {
        thread.join();
      }
      assertEquals(6 * 200 * 16, sum.get());
      assertEquals(0, overlaps.get());
    }
  }

  @Test
  void workersWakeAfterTheyParked() throws InterruptedException {
    try (WorkerPool pool = new WorkerPool(3)) {
      for (int round = 0; round < 5; round++) {
        // Far longer than a worker spins.
        Thread.sleep(20);
        AtomicInteger count = new AtomicInteger();
        pool.run(50, (index, worker) -> count.incrementAndGet());
        assertEquals(50, count.get());
      }
    }
  }

  @Test
  void closeEndsTheThreadsAndRefusesWork() {
    WorkerPool pool = new WorkerPool(4);
    List<Thread> workers = new ArrayList<>();
    pool.run(4, (index, worker) -> {});
    Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith("attention4j-worker"))
        .forEach(workers::add);
    pool.close();
    pool.close();
    IllegalStateException refused =
        assertThrows(IllegalStateException.class, () -> pool.run(4, (index, worker) -> {}));
    assertEquals("the worker pool is closed", refused.getMessage());
    for (Thread worker : workers) {
      assertTrue(!worker.isAlive(), worker.getName());
    }
  }

  /** The system may refuse a thread long after the first ones have parked. */
  @Test
  void aThreadThatDoesNotStartLeavesNoneRunning() {
    List<Thread> workers = new ArrayList<>();
    OutOfMemoryError refusal = new OutOfMemoryError("unable to create native thread");
    OutOfMemoryError thrown =
        assertThrows(
            OutOfMemoryError.class,
            () ->
                new WorkerPool(
                    4,
                    body -> {
                      Thread worker =
                          workers.size() < 2 ? new Thread(body) : new Refused(workers, refusal);
                      workers.add(worker);
                      return worker;
                    }));
    assertSame(refusal, thrown);
    for (Thread worker : workers) {
      assertTrue(!worker.isAlive(), worker.getName());
    }
  }

  /** Fails to start once the others have parked. */
  private static final class Refused extends Thread {
    private final List<Thread> others;
    private final OutOfMemoryError refusal;

    Refused(List<Thread> others, OutOfMemoryError refusal) {
      this.others = others;
      this.refusal = refusal;
    }

    @Override
    public void start() {
      for (Thread other : others.subList(0, 2)) {
        while (other.getState() != State.WAITING) {
          Thread.onSpinWait();
        }
      }
      throw refusal;
    }
  }

  @Test
  void aPoolNeedsAThread() {
    IllegalArgumentException refused =
        assertThrows(IllegalArgumentException.class, () -> new WorkerPool(0));
    assertEquals("threads 0 must be at least 1", refused.getMessage());
  }

  @Test
  void singleRunsInOrderOnTheCaller() {
    try (Parallel single = Parallel.single()) {
      List<Integer> order = new ArrayList<>();
      Thread caller = Thread.currentThread();
      single.run(
          5,
          (index, worker) -> {
            assertSame(caller, Thread.currentThread());
            order.add(index);
          });
      assertEquals(List.of(0, 1, 2, 3, 4), order);
      assertEquals(1, single.threads());
    }
  }
}
