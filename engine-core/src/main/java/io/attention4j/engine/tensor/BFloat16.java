package io.attention4j.engine.tensor;

/**
 * Conversions of bfloat16: the upper half of an IEEE binary32. Allocates nothing; any thread.
 *
 * <p>IEEE binary16 (F16) needs no class of its own: {@link Float#float16ToFloat} and {@link
 * Float#floatToFloat16} are exact and round to nearest even.
 */
public final class BFloat16 {
  private static final int QUIET_BIT = 0x40;

  private BFloat16() {}

  /** The value of these bits; exact. */
  public static float toFloat(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  /**
   * The nearest bfloat16, ties to even. Magnitudes from 2^128 - 2^119 on become infinity,
   * subnormals are kept, and a NaN stays a (quiet) NaN of the same sign.
   */
  public static short fromFloat(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      // Truncating alone could clear every mantissa bit and turn the NaN into infinity.
      return (short) (bits >>> 16 | QUIET_BIT);
    }
    int lastKeptBit = bits >>> 16 & 1;
    return (short) (bits + 0x7fff + lastKeptBit >>> 16);
  }
}
