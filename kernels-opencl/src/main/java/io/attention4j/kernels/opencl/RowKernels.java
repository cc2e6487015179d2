package io.attention4j.kernels.opencl;

/** What the kernels of rows.cl share. */
final class RowKernels {
  static final ClProgramCache.Source SOURCE = ClProgramCache.Source.of("rows", "");

  /** Items of a work group, ITEMS in the sources. */
  static final int ITEMS = 64;

  static final long[] GROUP = {ITEMS};

  private RowKernels() {}

  /** Work groups that cover this many elements, one an item. */
  static long[] cover(long elements) {
    return new long[] {Math.ceilDiv(elements, ITEMS)};
  }
}
