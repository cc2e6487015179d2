package io.attention4j.kernels.cpu.rows;

import io.attention4j.engine.runtime.Parallel;

/**
 * Cuts independent items (rows, or elements) over the workers, each of which computes whole items,
 * so results do not depend on the number of threads. Little work stays on the caller, because
 * waking a worker takes longer. Subclasses keep the arguments of a run in fields and guard them by
 * their own monitor: the instance is the reusable body, so a run allocates nothing.
 */
public abstract class RowPieces implements Parallel.Body {
  /** Elements below which one thread is faster than two. */
  private static final long SMALL_ELEMENTS = 16 * 1024;

  private static final int PIECES_PER_THREAD = 4;

  private final Parallel workers;
  private long items;
  private long itemsPerPiece;

  /** Runs on these workers. */
  protected RowPieces(Parallel workers) {
    this.workers = workers;
  }

  /** Calls {@link #range} for pieces that cover {@code count} items, and returns when all ran. */
  protected final void sweep(long count, long elementsPerItem) {
    sweep(count, elementsPerItem, PIECES_PER_THREAD);
  }

  /** As {@link #sweep(long, long)} with another number of pieces for each thread. */
  protected final void sweep(long count, long elementsPerItem, int piecesPerThread) {
    if (count <= 1 || workers.threads() == 1 || count * elementsPerItem < SMALL_ELEMENTS) {
      range(0, count, 0);
      return;
    }
    items = count;
    itemsPerPiece = Math.ceilDiv(count, (long) workers.threads() * piecesPerThread);
    workers.run((int) Math.ceilDiv(count, itemsPerPiece), this);
  }

  @Override
  public final void run(int index, int worker) {
    long from = index * itemsPerPiece;
    range(from, Math.min(items, from + itemsPerPiece), worker);
  }

  /** Threads that may call {@link #range}. */
  protected final int threads() {
    return workers.threads();
  }

  /** Computes items [from, to) on worker {@code worker}. */
  protected abstract void range(long from, long to, int worker);
}
