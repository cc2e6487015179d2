package io.attention4j.sparse;

import io.attention4j.sparse.RegionKernels.Sees;

/**
 * The axial mixture of {@link Combiner}. Positions are a grid of segments (rows) and columns; row
 * (a, u) of a causal layer reads, directly, its column above and its own segment up to itself, and
 * through summaries
 *
 * <ul>
 *   <li>every other column above segment a (regions (0 .. a-1, u')),
 *   <li>of every earlier segment the part left of column u and the part right of it.
 * </ul>
 *
 * Both cover what is not read directly, hence mixture. A bidirectional layer reads the whole column
 * and segment and has the same summaries below. Summaries are running: one per position and
 * direction. Cost O(n (n / s + s)).
 */
final class CombinerAxial implements RegionMethod {
  private static final int ABOVE = 0;
  private static final int LEFT = 1;
  private static final int RIGHT = 2;
  private static final int BELOW = 3;

  private final int segment;
  private final boolean bidirectional;

  CombinerAxial(int segment, boolean bidirectional) {
    this.segment = segment;
    this.bidirectional = bidirectional;
  }

  @Override
  public int stores() {
    return bidirectional ? 4 : 3;
  }

  /** The slot of a summary is the position at which it ends. */
  @Override
  public long count(int store, long length) {
    if (bidirectional) {
      return 0;
    }
    return store == RIGHT ? length / segment * segment : length;
  }

  @Override
  public boolean keepsQueries() {
    return true;
  }

  @Override
  public void attend(RegionStep step) {
    KeyGroups segments = new KeyGroups();
    for (long a = step.from() / segment; a * segment < step.to(); a++) {
      if (step.rows(segments, a * segment, (a + 1) * segment)) {
        addSegment(segments, (int) a, 0, step.to());
        step.end(segments);
      }
    }
    step.add(bidirectional ? Sees.ALL : Sees.UP_TO, segments);
    KeyGroups columns = columns(step, 0, step.to());
    step.add(Sees.BEFORE, columns);
    if (bidirectional) {
      step.add(Sees.AFTER, columns);
    }
    summarizeColumns(step, ABOVE);
    summarizeSegments(step, LEFT);
    summarizeSegments(step, RIGHT);
    attendColumns(step, ABOVE, -1);
    attendParts(step, LEFT, -1);
    attendParts(step, RIGHT, 1);
    if (bidirectional) {
      summarizeColumns(step, BELOW);
      attendColumns(step, BELOW, 1);
    }
  }

  /** The slots of a segment, each moved by so much. */
  private void addSegment(KeyGroups groups, int a, int shift, int end) {
    long last = Math.min(end, (a + 1L) * segment);
    for (int j = a * segment; j < last; j++) {
      groups.key(j + shift, 0);
    }
  }

  /** Rows of each column and the slots of a column {@code shift} away, up to {@code end}. */
  private KeyGroups columns(RegionStep step, int shift, int end) {
    KeyGroups groups = new KeyGroups();
    int width = Math.min(segment, step.to());
    for (int u = Math.max(0, -shift); u < Math.min(width, segment - Math.max(0, shift)); u++) {
      boolean any = false;
      int first = step.from() + Math.floorMod(u - step.from(), segment);
      for (int p = first; p < step.to(); p += segment) {
        groups.row(p - step.from());
        any = true;
      }
      if (any) {
        for (long j = (long) u + shift; j < end; j += segment) {
          groups.key((int) j, 0);
        }
        step.end(groups);
      }
    }
    return groups;
  }

  /** Other columns above or below: the summaries that end in the neighbouring segment. */
  private void attendColumns(RegionStep step, int store, int direction) {
    KeyGroups groups = new KeyGroups();
    int segments = Math.ceilDiv(step.to(), segment);
    for (int a = step.from() / segment; a < segments; a++) {
      int neighbour = a + direction;
      if (neighbour >= 0 && neighbour < segments) {
        step.rows(groups, (long) a * segment, (a + 1L) * segment);
        addSegment(groups, neighbour, 0, step.to());
        step.end(groups);
      }
    }
    // These summaries stand where row a has the same column, so both leave out the row's own.
    step.add(store, Sees.BEFORE, groups);
    step.add(store, Sees.AFTER, groups);
  }

  /** Parts of other segments left or right of the row's column. */
  private void attendParts(RegionStep step, int store, int shift) {
    KeyGroups groups = columns(step, shift, step.store(store).count());
    // These summaries stand one column further, in the row's column.
    step.add(store, Sees.BEFORE, groups);
    if (bidirectional) {
      step.add(store, Sees.AFTER, groups);
    }
  }

  private void summarizeColumns(RegionStep step, int store) {
    boolean above = store == ABOVE;
    int done = step.store(store).count();
    int columns = Math.min(segment, step.to());
    KeyGroups regions = new KeyGroups();
    int[] positions = new int[step.to() - done];
    for (int u = 0; u < columns; u++) {
      int last = lastOfColumn(step, u);
      if (last < done) {
        continue;
      }
      for (long p = above ? u : last; p >= 0 && p <= last; p += above ? segment : -segment) {
        int token = (int) p;
        regions.key(token, 0);
        if (token >= done) {
          regions.row(token - done);
          positions[token - done] = above ? token + segment : token - segment;
        }
      }
      step.end(regions);
    }
    try (RegionMaxima.Collected collected = new RegionMaxima.Collected(step, positions.length)) {
      RegionMaxima.take(
          step,
          columns,
          (u, maxima) -> {
            int last = lastOfColumn(step, u);
            if (last < done) {
              return;
            }
            for (long p = above ? u : last; p >= 0 && p <= last; p += above ? segment : -segment) {
              maxima.raise((int) p);
              if (p >= done) {
                collected.set((int) p - done, maxima);
              }
            }
          });
      collected.addTo(store, step, above ? Sees.UP_TO : Sees.FROM, done, regions, positions);
    }
  }

  private int lastOfColumn(RegionStep step, int u) {
    return step.to() - 1 - Math.floorMod(step.to() - 1 - u, segment);
  }

  private void summarizeSegments(RegionStep step, int store) {
    boolean left = store == LEFT;
    int done = step.store(store).count();
    int end = bidirectional ? step.to() : (int) count(store, step.to());
    if (end == done) {
      return;
    }
    int firstSegment = done / segment;
    int segments = Math.ceilDiv(end, segment) - firstSegment;
    KeyGroups regions = new KeyGroups();
    int[] positions = new int[end - done];
    for (int a = firstSegment; a < firstSegment + segments; a++) {
      int first = a * segment;
      int last = (int) Math.min(end, first + (long) segment) - 1;
      for (int i = first; i <= last; i++) {
        int token = left ? i : first + last - i;
        regions.key(token, 0);
        if (token >= done) {
          regions.row(token - done);
          positions[token - done] = left ? token + 1 : token - 1;
        }
      }
      step.end(regions);
    }
    try (RegionMaxima.Collected collected = new RegionMaxima.Collected(step, end - done)) {
      RegionMaxima.take(
          step,
          segments,
          (region, maxima) -> {
            int first = (firstSegment + region) * segment;
            int last = (int) Math.min(end, first + (long) segment) - 1;
            for (int i = first; i <= last; i++) {
              int token = left ? i : first + last - i;
              maxima.raise(token);
              if (token >= done) {
                collected.set(token - done, maxima);
              }
            }
          });
      collected.addTo(store, step, left ? Sees.UP_TO : Sees.FROM, done, regions, positions);
    }
  }
}
