package io.attention4j.kernels.cpu.simd;

/**
 * How {@code count} rows of a tile are cut into register panels of 6 and 4 rows: as many sixes as
 * possible so that nothing but a last odd row (or two, below 4) is padding.
 */
final class Panels {
  private Panels() {}

  /** Rows that are computed: count rounded up to an even number, at least 4. */
  static int padded(int count) {
    return Math.max(4, (count + 1) & ~1);
  }

  /** Panels of 6 rows, the first ones. */
  static int sixes(int padded) {
    return (padded - 4 * fours(padded)) / 6;
  }

  /** Panels of 4 rows, the last ones. */
  static int fours(int padded) {
    return switch (padded % 6) {
      case 0 -> 0;
      case 2 -> 2;
      default -> 1;
    };
  }
}
