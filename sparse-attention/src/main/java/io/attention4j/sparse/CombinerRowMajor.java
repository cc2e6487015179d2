package io.attention4j.sparse;

import io.attention4j.sparse.RegionKernels.Sees;

/**
 * The row-major axial factorisation of {@link Combiner}: a row (a, u) of the grid of segments and
 * columns reads its own segment directly and of every other segment t (causal: every earlier one)
 * one entry, that of its own column: the key k(t, u) and, as its value, the attention of the query
 * (t, u) to the whole segment t. Cost O(n (s + n / s)).
 *
 * <p>This is the released program's {@code row_summary = none}; its learned projection of the
 * summary keys needs weights that were never published.
 */
final class CombinerRowMajor implements RegionMethod {
  private final int segment;
  private final boolean bidirectional;

  CombinerRowMajor(int segment, boolean bidirectional) {
    this.segment = segment;
    this.bidirectional = bidirectional;
  }

  @Override
  public int stores() {
    return 1;
  }

  @Override
  public long count(int store, long length) {
    return bidirectional ? 0 : length / segment * segment;
  }

  @Override
  public boolean keepsQueries() {
    return true;
  }

  @Override
  public void attend(RegionStep step) {
    KeyGroups own = new KeyGroups();
    for (long a = step.from() / segment; a * segment < step.to(); a++) {
      if (step.rows(own, a * segment, (a + 1) * segment)) {
        for (long j = a * segment; j < Math.min(step.to(), (a + 1) * segment); j++) {
          own.key((int) j, 0);
        }
        step.end(own);
      }
    }
    step.add(bidirectional ? Sees.ALL : Sees.UP_TO, own);
    summarize(step);
    KeyGroups columns = new KeyGroups();
    int slots = step.store(0).count();
    for (int u = 0; u < Math.min(segment, step.to()); u++) {
      int first = step.from() + Math.floorMod(u - step.from(), segment);
      for (long p = first; p < step.to(); p += segment) {
        columns.row((int) p - step.from());
      }
      if (first < step.to()) {
        for (long slot = u; slot < slots; slot += segment) {
          columns.key((int) slot, 0);
        }
        step.end(columns);
      }
    }
    step.add(0, Sees.BEFORE, columns);
    if (bidirectional) {
      step.add(0, Sees.AFTER, columns);
    }
  }

  private void summarize(RegionStep step) {
    int done = step.store(0).count();
    int all = bidirectional ? step.to() : (int) count(0, step.to());
    if (all == done) {
      return;
    }
    KeyGroups segments = new KeyGroups();
    int[] positions = new int[all - done];
    for (int first = done; first < all; first += segment) {
      for (int j = first; j < Math.min(all, (long) first + segment); j++) {
        positions[j - done] = j;
        segments.row(j - done);
        segments.key(j, 0);
      }
      step.end(segments);
    }
    try (RegionMaxima.Collected collected = new RegionMaxima.Collected(step, all - done)) {
      RegionMaxima.take(
          step,
          Math.ceilDiv(all - done, segment),
          (region, token) -> {
            int first = done + region * segment;
            for (int j = first; j < Math.min(all, (long) first + segment); j++) {
              token.clear();
              token.raise(j);
              collected.set(j - done, token);
            }
          });
      collected.addTo(0, step, Sees.ALL, 0, segments, positions);
    }
  }
}
