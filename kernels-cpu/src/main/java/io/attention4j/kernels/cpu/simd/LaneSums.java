package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.LANES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Sums over lanes, of four query rows and some keys at once and always in the same order; {@code
 * reduceLanes(ADD)} fixes none and gives other bits once it is compiled. Every step adds
 * neighbouring lanes of two vectors, so that the sums of a key's four rows end side by side.
 */
final class LaneSums {
  /** 512-bit vectors are halved by the first addition, which loads do for nothing. */
  private static final VectorSpecies<Float> SPECIES =
      VectorSpecies.of(float.class, VectorShape.forBitSize(Math.min(256, Species.BITS)));

  private static final int WIDTH = SPECIES.length();

  /** Keys whose sums fill a vector: 2, or 1 at 128 bits. */
  static final int KEYS = WIDTH / 4;

  private static final VectorMask<Float> ODD_1 = odd(1);
  private static final VectorMask<Float> ODD_2 = odd(2);
  private static final VectorMask<Float> ODD_4 = odd(4);
  private static final VectorShuffle<Float> SWAP_1 = swap(1);
  private static final VectorShuffle<Float> SWAP_2 = swap(2);
  private static final VectorShuffle<Float> SWAP_4 = swap(4);

  private LaneSums() {}

  private static VectorMask<Float> odd(int distance) {
    boolean[] bits = new boolean[WIDTH];
    for (int i = 0; i < WIDTH; i++) {
      bits[i] = (i & distance) != 0;
    }
    return VectorMask.fromArray(SPECIES, bits, 0);
  }

  private static VectorShuffle<Float> swap(int distance) {
    return VectorShuffle.fromOp(SPECIES, i -> (i ^ distance) % WIDTH);
  }

  /**
   * s[k][r] = factor * sum of lanes[k][r], for keys up to the next multiple of {@link #KEYS}.
   *
   * @param lanes [keys][4][LANES]
   * @param s [keys][4] from {@code at}
   */
  static void of(float[] lanes, int keys, float[] s, int at, float factor) {
    if (WIDTH == 8) {
      pairs(lanes, keys, s, at, factor);
    } else {
      singles(lanes, keys, s, at, factor);
    }
  }

  private static void pairs(float[] lanes, int keys, float[] s, int at, float factor) {
    for (int k = 0; k < keys; k += 2) {
      int from = k * 4 * LANES;
      FloatVector a0 = FloatVector.fromArray(SPECIES, lanes, from);
      FloatVector a1 = FloatVector.fromArray(SPECIES, lanes, from + LANES);
      FloatVector a2 = FloatVector.fromArray(SPECIES, lanes, from + 2 * LANES);
      FloatVector a3 = FloatVector.fromArray(SPECIES, lanes, from + 3 * LANES);
      FloatVector b0 = FloatVector.fromArray(SPECIES, lanes, from + 4 * LANES);
      FloatVector b1 = FloatVector.fromArray(SPECIES, lanes, from + 5 * LANES);
      FloatVector b2 = FloatVector.fromArray(SPECIES, lanes, from + 6 * LANES);
      FloatVector b3 = FloatVector.fromArray(SPECIES, lanes, from + 7 * LANES);
      if (LANES > WIDTH) {
        int half = from + WIDTH;
        a0 = a0.add(FloatVector.fromArray(SPECIES, lanes, half));
        a1 = a1.add(FloatVector.fromArray(SPECIES, lanes, half + LANES));
        a2 = a2.add(FloatVector.fromArray(SPECIES, lanes, half + 2 * LANES));
        a3 = a3.add(FloatVector.fromArray(SPECIES, lanes, half + 3 * LANES));
        b0 = b0.add(FloatVector.fromArray(SPECIES, lanes, half + 4 * LANES));
        b1 = b1.add(FloatVector.fromArray(SPECIES, lanes, half + 5 * LANES));
        b2 = b2.add(FloatVector.fromArray(SPECIES, lanes, half + 6 * LANES));
        b3 = b3.add(FloatVector.fromArray(SPECIES, lanes, half + 7 * LANES));
      }
      a0 = a0.blend(a1, ODD_1).add(a1.blend(a0, ODD_1).rearrange(SWAP_1));
      a2 = a2.blend(a3, ODD_1).add(a3.blend(a2, ODD_1).rearrange(SWAP_1));
      b0 = b0.blend(b1, ODD_1).add(b1.blend(b0, ODD_1).rearrange(SWAP_1));
      b2 = b2.blend(b3, ODD_1).add(b3.blend(b2, ODD_1).rearrange(SWAP_1));
      a0 = a0.blend(a2, ODD_2).add(a2.blend(a0, ODD_2).rearrange(SWAP_2));
      b0 = b0.blend(b2, ODD_2).add(b2.blend(b0, ODD_2).rearrange(SWAP_2));
      a0 = a0.blend(b0, ODD_4).add(b0.blend(a0, ODD_4).rearrange(SWAP_4));
      a0.mul(factor).intoArray(s, at + 4 * k);
    }
  }

  private static void singles(float[] lanes, int keys, float[] s, int at, float factor) {
    for (int k = 0; k < keys; k++) {
      int from = k * 4 * LANES;
      FloatVector a0 = FloatVector.fromArray(SPECIES, lanes, from);
      FloatVector a1 = FloatVector.fromArray(SPECIES, lanes, from + LANES);
      FloatVector a2 = FloatVector.fromArray(SPECIES, lanes, from + 2 * LANES);
      FloatVector a3 = FloatVector.fromArray(SPECIES, lanes, from + 3 * LANES);
      a0 = a0.blend(a1, ODD_1).add(a1.blend(a0, ODD_1).rearrange(SWAP_1));
      a2 = a2.blend(a3, ODD_1).add(a3.blend(a2, ODD_1).rearrange(SWAP_1));
      a0 = a0.blend(a2, ODD_2).add(a2.blend(a0, ODD_2).rearrange(SWAP_2));
      a0.mul(factor).intoArray(s, at + 4 * k);
    }
  }
}
