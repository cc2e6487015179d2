package io.attention4j.sparse;

import io.attention4j.sparse.RegionKernels.Sees;

/**
 * The fixed factorisation of {@link Combiner}: a row reads its own segment directly and every other
 * segment (causal: every earlier one) through one summary. Cost O(n (s + n / s)).
 */
final class CombinerFixed implements RegionMethod {
  private final int segment;
  private final boolean bidirectional;

  CombinerFixed(int segment, boolean bidirectional) {
    this.segment = segment;
    this.bidirectional = bidirectional;
  }

  @Override
  public int stores() {
    return 1;
  }

  @Override
  public long count(int store, long length) {
    return bidirectional ? 0 : length / segment;
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
    KeyGroups others = new KeyGroups();
    for (long a = step.from() / segment; a * segment < step.to(); a++) {
      if (step.rows(others, a * segment, (a + 1) * segment)) {
        for (int r = 0; r < (bidirectional ? step.store(0).count() : a); r++) {
          if (r != a) {
            others.key(r, 0);
          }
        }
        step.end(others);
      }
    }
    step.add(0, Sees.ALL, others);
  }

  private void summarize(RegionStep step) {
    SummaryPages store = step.store(0);
    int done = store.count();
    int all = bidirectional ? Math.ceilDiv(step.to(), segment) : step.to() / segment;
    if (all == done) {
      return;
    }
    KeyGroups regions = new KeyGroups();
    for (int r = done; r < all; r++) {
      regions.row(r - done);
      for (int j = r * segment; j < end(step, r); j++) {
        regions.key(j, 0);
      }
      step.end(regions);
    }
    try (RegionMaxima.Collected collected = new RegionMaxima.Collected(step, all - done)) {
      RegionMaxima.take(
          step,
          all - done,
          (region, maxima) -> {
            int r = done + region;
            for (int j = r * segment; j < end(step, r); j++) {
              maxima.raise(j);
            }
            collected.set(region, maxima);
          });
      collected.addTo(0, step, Sees.ALL, 0, regions, new int[all - done]);
    }
  }

  private int end(RegionStep step, int region) {
    return (int) Math.min(step.to(), (region + 1L) * segment);
  }
}
