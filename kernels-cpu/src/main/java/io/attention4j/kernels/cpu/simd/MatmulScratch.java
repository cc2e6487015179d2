package io.attention4j.kernels.cpu.simd;

/** Scratch memory that the plans of one kernel share; grows to the largest run. */
final class MatmulScratch {
  private final Activations activations = new Activations();
  private final PackedRows packed = new PackedRows();
  private final ShortTiles[] shortTiles;
  private final float[][] decoded;
  private final float[][] sums;

  MatmulScratch(int threads) {
    decoded = new float[threads][0];
    sums = new float[threads][0];
    shortTiles = new ShortTiles[threads];
    for (int i = 0; i < threads; i++) {
      shortTiles[i] = new ShortTiles();
    }
  }

  /** The rows of x. */
  Activations activations() {
    return activations;
  }

  /** The rows of x, packed for register tiles. */
  PackedRows packed() {
    return packed;
  }

  /** Makes room for every worker. */
  void reserve(int decodedElements, int sumElements) {
    for (int i = 0; i < decoded.length; i++) {
      if (decoded[i].length < decodedElements) {
        decoded[i] = new float[decodedElements];
      }
      if (sums[i].length < sumElements) {
        sums[i] = new float[sumElements];
      }
    }
  }

  /** The 16-bit tiles of a worker. */
  ShortTiles shortTiles(int worker) {
    return shortTiles[worker];
  }

  /** Decoded weights of a worker. */
  float[] decoded(int worker) {
    return decoded[worker];
  }

  /** Results of a worker. */
  float[] sums(int worker) {
    return sums[worker];
  }
}
