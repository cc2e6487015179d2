package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.INT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Rows of x as 8-bit codes in blocks of 32 with one scale: x is about scale * code with scale =
 * max|x| / 127, as GGML quantises activations. The error of an element is at most half a scale. A
 * block with a value that is not finite has a scale that is not finite.
 *
 * <p>The kernels of {@link RowGroups} multiply in 16-bit lanes, so every code stands twice in an
 * int: one broadcast fills all lanes.
 */
final class QuantizedRows {
  /** Elements that share a scale. */
  static final int BLOCK = 32;

  /** Elements whose codes {@link #eighthSums} adds up. */
  static final int EIGHTH = 8;

  private static final float MAX_CODE = 127;

  /** Adding it leaves the nearest integer in the low bits of the mantissa: 1.5 * 2^23. */
  private static final float ROUND = 0x1.8p23f;

  private static final int ROUND_BITS = Float.floatToRawIntBits(ROUND);

  private int[] codes = new int[0];
  private int[] nibbleCodes = new int[0];
  private int[] nibbleStarts = new int[0];
  private int[] pairCodes = new int[0];
  private float[] scales = new float[0];
  private int[] codeSums = new int[0];
  private float[] sums = new float[0];
  private int[] eighthSums = new int[0];

  /** Codes of element k of a row at row * in + k, twice in each int. */
  int[] codes() {
    return codes;
  }

  /**
   * Codes for products with unmasked nibbles: of four columns, what nibble i of a 16-bit lane v is
   * multiplied with is code i, and v >>> 4i still has the nibbles above it. Since v >>> 4i less 16
   * times v >>> 4(i + 1) is nibble i, and 16-bit sums wrap, (v >>> 4i) * (code i - 16 code (i - 1))
   * add up to the product of the four nibbles with the four codes. Filled by {@link
   * #prepareNibbles}.
   */
  int[] nibbleCodes() {
    return nibbleCodes;
  }

  /** -8 times the sum of the codes of each block, twice in each int; one more follows the last. */
  int[] nibbleStarts() {
    return nibbleStarts;
  }

  /**
   * Codes for products with two bytes of a 16-bit lane v, unmasked as for {@link #nibbleCodes}: v *
   * code 0 + (v >>> 8) * (code 1 - 256 code 0). Filled by {@link #preparePairs}.
   */
  int[] pairCodes() {
    return pairCodes;
  }

  /** Scale of each block. */
  float[] scales() {
    return scales;
  }

  /** Sum of the codes of each block. */
  int[] codeSums() {
    return codeSums;
  }

  /** Sum of the rounded x of each block, at row * in / 32 + block in any order of the codes. */
  float[] sums() {
    return sums;
  }

  /** Sum of the codes of each eight elements, after {@link #sumEighths}. */
  int[] eighthSums() {
    return eighthSums;
  }

  /** Fills {@link #eighthSums} for the first elements. */
  void sumEighths(int elements) {
    if (eighthSums.length < elements / EIGHTH) {
      eighthSums = new int[elements / EIGHTH];
    }
    for (int i = 0; i < elements / EIGHTH; i++) {
      int sum = 0;
      for (int j = 0; j < EIGHTH; j++) {
        sum += (short) codes[EIGHTH * i + j];
      }
      eighthSums[i] = sum;
    }
  }

  /** Fills {@link #nibbleCodes} and {@link #nibbleStarts} for the first elements. */
  void prepareNibbles(int elements) {
    if (nibbleCodes.length < elements) {
      nibbleCodes = new int[elements];
      nibbleStarts = new int[elements / BLOCK + 1];
    }
    for (int i = 0; i < elements; i += 4) {
      nibbleCodes[i] = codes[i];
      for (int j = i + 1; j < i + 4; j++) {
        nibbleCodes[j] = twice((short) codes[j] - 16 * (short) codes[j - 1]);
      }
    }
    for (int block = 0; block < elements / BLOCK; block++) {
      nibbleStarts[block] = twice(-8 * codeSums[block]);
    }
  }

  /** Fills {@link #pairCodes} for the first elements. */
  void preparePairs(int elements) {
    if (pairCodes.length < elements) {
      pairCodes = new int[elements];
    }
    for (int i = 0; i < elements; i += 2) {
      pairCodes[i] = codes[i];
      pairCodes[i + 1] = twice((short) codes[i + 1] - 256 * (short) codes[i]);
    }
  }

  /** Makes room for this many elements. */
  void reserve(int elements) {
    if (codes.length < elements) {
      codes = new int[elements];
      scales = new float[elements / BLOCK];
      codeSums = new int[elements / BLOCK];
      sums = new float[elements / BLOCK];
    }
  }

  /** Quantises elements [at, at + elements) to the same places; multiples of 32. */
  void quantize(float[] x, int at, int elements) {
    for (int block = at / BLOCK; block < (at + elements) / BLOCK; block++) {
      quantizeBlock(x, block * BLOCK, block);
    }
  }

  /** Quantises rows [from, to) of {@code rows} to the places that {@link ShortTiles} read. */
  void quantizeTiles(float[] x, int from, int to, int rows, int in) {
    int blocks = in / BLOCK;
    for (int row = from; row < to; row++) {
      for (int b = 0; b < blocks; b++) {
        quantizeBlock(x, row * in + b * BLOCK, ShortTiles.tileBlock(row, b, rows, blocks));
      }
    }
  }

  private void quantizeBlock(float[] x, int at, int block) {
    int to = block * BLOCK;
    FloatVector first = FloatVector.fromArray(FLOAT, x, at);
    FloatVector max = first.abs();
    for (int i = LANES; i < BLOCK; i += LANES) {
      FloatVector v = FloatVector.fromArray(FLOAT, x, at + i);
      max = max.max(v.abs());
    }
    float largest = max.reduceLanes(VectorOperators.MAX);
    float inverse = largest > 0 ? MAX_CODE / largest : 0;
    scales[block] = largest / MAX_CODE;
    IntVector total = IntVector.zero(INT);
    for (int i = 0; i < BLOCK; i += LANES) {
      IntVector code =
          FloatVector.fromArray(FLOAT, x, at + i)
              .mul(inverse)
              .add(ROUND)
              .reinterpretAsInts()
              .sub(ROUND_BITS);
      code.and(0xffff).or(code.lanewise(VectorOperators.LSHL, 16)).intoArray(codes, to + i);
      total = total.add(code);
    }
    codeSums[block] = total.reduceLanes(VectorOperators.ADD);
    sums[at / BLOCK] = codeSums[block] * scales[block];
  }

  /**
   * A 16-bit number twice in an int, for {@code IntVector.broadcast(...).reinterpretAsShorts()}.
   */
  static int twice(int value) {
    return value & 0xffff | value << 16;
  }
}
