package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.kernels.cpu.attention.PageFormat;

/**
 * How the elements of a key or value lie in registers while four query rows use them: blocks of
 * {@link #BLOCK} elements, four vectors each, as one or two loads and a few shifts deliver them
 * ({@link HalfBlocks}, {@link FloatBlocks}, {@link CodeBlocks}). With four rows a block fills the
 * 32 registers of AVX-512; narrower vectors have no blocks. What no block covers is read as floats
 * first ({@link RowFloats}), padded with zeros to whole vectors.
 *
 * <p>Half precision in a block is 2^112 too small. Its other factor, a query or a weight, therefore
 * carries {@link #spread} and the result is multiplied by spread again; a factor that meets exact
 * values carries 1 / spread. Half of the way each, so that neither overflows.
 */
final class RowBlocks {
  /** Elements of a block. */
  static final int BLOCK = 4 * LANES;

  private static final float HALF_UNIT = 0x1p-112f;

  private final PageFormat format;

  /** Elements of a row. */
  final int dim;

  /** Blocks of a row. */
  final int blocks;

  /** Elements in blocks, the first of a row. */
  final int covered;

  /** Element of its block that position {@code i}, lane i % LANES of vector i / LANES, holds. */
  final int[] order = new int[BLOCK];

  /** Power of two, 1 for all formats but half precision. */
  final float spread;

  /**
   * A layout.
   *
   * @param spreads whether factors may carry {@link #spread}, which keeps 70 binary orders of
   *     magnitude below 1
   */
  RowBlocks(PageFormat format, int dim, boolean spreads) {
    this.format = format;
    this.dim = dim;
    blocks = Species.WIDE && (spreads || format != PageFormat.F16) ? dim / BLOCK : 0;
    covered = blocks * BLOCK;
    spread = blocks > 0 && format == PageFormat.F16 ? 0x1p56f : 1;
    for (int i = 0; i < BLOCK; i++) {
      order[i] = element(i);
    }
  }

  /** Floats of the elements from {@code first} on, padded to whole vectors. */
  int padded(int first) {
    return Math.ceilDiv(dim - first, LANES) * LANES;
  }

  /** Value of 1 in a block. */
  float unit() {
    return spread == 1 ? 1 : HALF_UNIT;
  }

  /** Bytes of a block. */
  long blockBytes() {
    return (long) BLOCK * format.elementBytes();
  }

  private int element(int i) {
    int vector = i / LANES;
    int lane = i % LANES;
    return switch (format) {
      case F32 -> i;
      case F16, BF16 -> vector / 2 * 2 * LANES + 2 * lane + vector % 2;
      case Q8 -> 4 * lane + vector;
    };
  }
}
