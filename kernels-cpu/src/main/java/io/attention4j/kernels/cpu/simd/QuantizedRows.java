package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
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

  /** Elements whose sum {@link #eighthSums} holds. */
  static final int EIGHTH = 8;

  private static final float MAX_CODE = 127;

  /** Adding it leaves the nearest integer in the low bits of the mantissa: 1.5 * 2^23. */
  private static final float ROUND = 0x1.8p23f;

  private static final int ROUND_BITS = Float.floatToRawIntBits(ROUND);

  private int[] codes = new int[0];
  private float[] scales = new float[0];
  private int[] codeSums = new int[0];
  private int[] eighthSums = new int[0];

  /** Codes of element k of a row at row * in + k, twice in each int. */
  int[] codes() {
    return codes;
  }

  /** Scale of each block. */
  float[] scales() {
    return scales;
  }

  /** Sum of the codes of each block. */
  int[] codeSums() {
    return codeSums;
  }

  /** Sum of the codes of each eight elements. */
  int[] eighthSums() {
    return eighthSums;
  }

  /** Quantises rows of {@code in} elements, a multiple of 32. */
  void quantize(float[] x, int rows, int in) {
    int elements = rows * in;
    if (codes.length < elements) {
      codes = new int[elements];
      scales = new float[elements / BLOCK];
      codeSums = new int[elements / BLOCK];
      eighthSums = new int[elements / EIGHTH];
    }
    for (int block = 0; block < elements / BLOCK; block++) {
      quantizeBlock(x, block);
    }
  }

  private void quantizeBlock(float[] x, int block) {
    int at = block * BLOCK;
    FloatVector first = FloatVector.fromArray(FLOAT, x, at);
    FloatVector max = first.abs();
    for (int i = LANES; i < BLOCK; i += LANES) {
      FloatVector v = FloatVector.fromArray(FLOAT, x, at + i);
      max = max.max(v.abs());
    }
    float largest = max.reduceLanes(VectorOperators.MAX);
    float inverse = largest > 0 ? MAX_CODE / largest : 0;
    scales[block] = largest / MAX_CODE;
    for (int i = 0; i < BLOCK; i += LANES) {
      IntVector code =
          FloatVector.fromArray(FLOAT, x, at + i)
              .mul(inverse)
              .add(ROUND)
              .reinterpretAsInts()
              .sub(ROUND_BITS);
      code.and(0xffff).or(code.lanewise(VectorOperators.LSHL, 16)).intoArray(codes, at + i);
    }
    int total = 0;
    for (int i = 0; i < BLOCK; i += EIGHTH) {
      int eighth = 0;
      for (int j = 0; j < EIGHTH; j++) {
        eighth += (short) codes[at + i + j];
      }
      eighthSums[(at + i) / EIGHTH] = eighth;
      total += eighth;
    }
    codeSums[block] = total;
  }

  /**
   * A 16-bit number twice in an int, for {@code IntVector.broadcast(...).reinterpretAsShorts()}.
   */
  static int twice(int value) {
    return value & 0xffff | value << 16;
  }
}
