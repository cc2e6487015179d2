package io.attention4j.sparse;

import io.attention4j.sparse.RegionKernels.Sees;

/**
 * The logsparse factorisation of {@link Combiner}, causal: for every set bit l of its position i, a
 * row reads the block of c = 2^l tokens just before block floor(i / c), so that these blocks and
 * the row itself are a partition of 0 .. i. Blocks of one token are read directly. Cost O(n log n).
 */
final class CombinerLogsparse implements RegionMethod {
  private final int levels;

  /** For sequences up to this length. */
  CombinerLogsparse(int maxPositions) {
    levels = Math.max(0, 31 - Integer.numberOfLeadingZeros(Math.max(1, maxPositions - 1)));
  }

  /** Store l - 1 has the blocks of level l with an even number. */
  @Override
  public int stores() {
    return levels;
  }

  @Override
  public long count(int store, long length) {
    long c = 2L << store;
    return (length + c) / (2 * c);
  }

  @Override
  public boolean keepsQueries() {
    return true;
  }

  @Override
  public void attend(RegionStep step) {
    // The row and, where bit 0 is set, the token before it.
    KeyGroups direct = new KeyGroups();
    for (int pair = step.from() & ~1; pair < step.to(); pair += 2) {
      step.rows(direct, pair, pair + 2L);
      for (int j = pair; j < Math.min(step.to(), pair + 2); j++) {
        direct.key(j, 0);
      }
      step.end(direct);
    }
    step.add(Sees.UP_TO, direct);
    for (int store = 0; store < levels; store++) {
      summarize(step, store);
    }
    int[] firstSlot = new int[levels + 1];
    for (int store = 0; store < levels; store++) {
      firstSlot[store + 1] = firstSlot[store] + step.store(store).count();
    }
    KeyGroups blocks = new KeyGroups();
    for (int pair = Math.max(2, step.from() & ~1); pair < step.to(); pair += 2) {
      step.rows(blocks, pair, pair + 2L);
      for (int store = 0; store < levels; store++) {
        int number = pair >> (store + 1); // odd where the bit is set
        if ((number & 1) != 0) {
          blocks.key(firstSlot[store] + (number - 1) / 2, 0);
        }
      }
      step.end(blocks);
    }
    step.kernels().add(step.state().stores(), step.from(), Sees.ALL, blocks);
  }

  private void summarize(RegionStep step, int store) {
    int done = step.store(store).count();
    int all = (int) count(store, step.to());
    if (all == done) {
      return;
    }
    int c = 2 << store;
    KeyGroups regions = new KeyGroups();
    for (int u = done; u < all; u++) {
      regions.row(u - done);
      for (int j = 2 * u * c; j < (2 * u + 1) * c; j++) {
        regions.key(j, 0);
      }
      step.end(regions);
    }
    try (RegionMaxima.Collected collected = new RegionMaxima.Collected(step, all - done)) {
      RegionMaxima.take(
          step,
          all - done,
          (region, maxima) -> {
            int u = done + region;
            for (int j = 2 * u * c; j < (2 * u + 1) * c; j++) {
              maxima.raise(j);
            }
            collected.set(region, maxima);
          });
      collected.addTo(store, step, Sees.ALL, 0, regions, new int[all - done]);
    }
  }
}
