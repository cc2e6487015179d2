package io.attention4j.benchmarks.kernel;

import io.attention4j.engine.tensor.BFloat16;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.SplittableRandom;

/**
 * Random weights of any storage format with a mean near 0 and about a given standard deviation.
 * Codes of a block format are random bits and the scales of all blocks are the same: as fast to
 * read as real weights, and made at the speed of the disk, which quantising is not.
 */
public final class RandomWeights {
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /**
   * Scales of a block format.
   *
   * @param scaleAt byte offset of the F16 scale in a block
   * @param offsetAt byte offset of the F16 scale of the minimums, or -1
   * @param deviation standard deviation of weights of scale 1
   * @param centre offset that makes the mean 0, as a multiple of the scale
   */
  private record Scales(int scaleAt, int offsetAt, double deviation, double centre) {}

  private RandomWeights() {}

  /** Fills a segment of whole blocks. */
  public static void fill(
      MemorySegment target, DType dtype, double deviation, SplittableRandom random) {
    switch (dtype) {
      case F32, F16, BF16 -> fillPlain(target, dtype, deviation, random);
      case Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K ->
          fillBlocks(target, dtype, deviation, random);
      case F64, I8, I16, I32, I64 ->
          throw new IllegalArgumentException(dtype + " is no format of weights");
    }
  }

  private static void fillPlain(
      MemorySegment target, DType dtype, double deviation, SplittableRandom random) {
    double bound = deviation * Math.sqrt(3); // of a uniform variable
    int bytes = dtype.blockBytes();
    for (long at = 0; at < target.byteSize(); at += bytes) {
      float value = (float) random.nextDouble(-bound, bound);
      switch (dtype) {
        case F32 -> target.set(Tensor.FLOAT, at, value);
        case F16 -> target.set(Tensor.SHORT, at, Float.floatToFloat16(value));
        default -> target.set(Tensor.SHORT, at, BFloat16.fromFloat(value));
      }
    }
  }

  private static void fillBlocks(
      MemorySegment target, DType dtype, double deviation, SplittableRandom random) {
    long bytes = target.byteSize();
    long at = 0;
    for (; at + Long.BYTES <= bytes; at += Long.BYTES) {
      target.set(LONG, at, random.nextLong());
    }
    for (; at < bytes; at++) {
      target.set(ValueLayout.JAVA_BYTE, at, (byte) random.nextInt());
    }
    Scales scales = scales(dtype);
    double scale = deviation / scales.deviation;
    short scaleBits = Float.floatToFloat16((float) scale);
    short offsetBits = Float.floatToFloat16((float) (scale * scales.centre));
    for (long block = 0; block < bytes; block += dtype.blockBytes()) {
      target.set(Tensor.SHORT, block + scales.scaleAt, scaleBits);
      if (scales.offsetAt >= 0) {
        target.set(Tensor.SHORT, block + scales.offsetAt, offsetBits);
      }
    }
  }

  /**
   * Deviations follow from uniform codes: n-bit codes have mean (2^n - 1) / 2 and variance (4^n -
   * 1) / 12, and the K-quants' scales and minimums (6 bits; 4 in Q2_K, 8 in Q6_K) are such codes
   * too.
   */
  private static Scales scales(DType dtype) {
    return switch (dtype) {
      case Q4_0 -> new Scales(0, -1, 4.6, 0);
      case Q4_1 -> new Scales(0, 2, 4.6, -7.5);
      case Q5_0 -> new Scales(0, -1, 9.2, 0);
      case Q5_1 -> new Scales(0, 2, 9.2, -15.5);
      case Q8_0 -> new Scales(0, -1, 74, 0);
      case Q2_K -> new Scales(80, 82, 14, 1.5);
      case Q3_K -> new Scales(108, -1, 43, 0);
      case Q4_K -> new Scales(0, 2, 250, 7.5);
      case Q5_K -> new Scales(0, 2, 520, 15.5);
      case Q6_K -> new Scales(208, -1, 1370, 0);
      default -> throw new IllegalArgumentException(dtype + " is no block format");
    };
  }
}
