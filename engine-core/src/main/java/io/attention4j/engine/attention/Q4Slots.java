package io.attention4j.engine.attention;

import static io.attention4j.engine.attention.KvFormat.Q4.GROUP;
import static io.attention4j.engine.attention.KvFormat.Q4.PARAMETER_BYTES;

import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Writes and reads slots of {@link KvFormat.Q4}: the asymmetric min-max quantiser of KIVI (Liu et
 * al. 2024, arXiv 2402.02750), along the elements of one token. Stateless; any thread may call it.
 *
 * <p>The minimum is rounded down and the step up to half precision, so that codes 0 and 15 enclose
 * the group and no element is clamped: each is off by at most half a step.
 */
public final class Q4Slots {
  private static final int MOST_CODE = 15;

  private Q4Slots() {}

  /**
   * Stores {@code dim} floats from {@code from[at]} on.
   *
   * @param codesAt byte of the slot's codes in {@code codes}
   * @param parametersAt byte of its steps and minima in {@code parameters}
   */
  public static void encode(
      float[] from,
      int at,
      int dim,
      MemorySegment codes,
      long codesAt,
      MemorySegment parameters,
      long parametersAt) {
    long code = codesAt;
    long parameter = parametersAt;
    for (int i = 0; i < dim; i += GROUP) {
      int count = Math.min(GROUP, dim - i);
      int half = (count + 1) / 2;
      float low = Float.POSITIVE_INFINITY;
      float high = Float.NEGATIVE_INFINITY;
      for (int j = at + i; j < at + i + count; j++) {
        low = Math.min(low, from[j]);
        high = Math.max(high, from[j]);
      }
      float minimum = floor(low);
      float step = ceil(((double) high - minimum) / MOST_CODE);
      if (!Float.isFinite(minimum) || !Float.isFinite(step)) {
        // Also where an element is not finite: the group reads as NaN instead of as some number.
        minimum = 0;
        step = Float.NaN;
      }
      parameters.set(Tensor.SHORT, parameter, Float.floatToFloat16(step));
      parameters.set(Tensor.SHORT, parameter + Short.BYTES, Float.floatToFloat16(minimum));
      for (int j = 0; j < half; j++) {
        int first = code(from[at + i + j], minimum, step);
        int second = half + j < count ? code(from[at + i + half + j], minimum, step) : 0;
        codes.set(ValueLayout.JAVA_BYTE, code + j, (byte) (first | second << 4));
      }
      code += half;
      parameter += PARAMETER_BYTES;
    }
  }

  private static int code(float value, float minimum, float step) {
    return step > 0
        ? (int) Math.clamp(Math.rint(((double) value - minimum) / step), 0, MOST_CODE)
        : 0;
  }

  /** The largest half-precision number that is not above x; NaN stays NaN. */
  static float floor(float x) {
    short nearest = Float.floatToFloat16(x);
    if (!(Float.float16ToFloat(nearest) > x)) {
      return Float.float16ToFloat(nearest);
    }
    // Bits ascend with the magnitude; below either zero lies the smallest negative number.
    int magnitude = nearest & 0x7fff;
    boolean negative = nearest < 0 || magnitude == 0;
    int below = negative ? 0x8000 | magnitude + 1 : magnitude - 1;
    return Float.float16ToFloat((short) below);
  }

  /** The smallest half-precision number that is not below x, at least 0. */
  static float ceil(double x) {
    float rounded = (float) x;
    return -floor(-(rounded < x ? Math.nextUp(rounded) : rounded));
  }

  /** Reads a slot to {@code dim} floats from {@code to[at]} on. */
  public static void decode(
      MemorySegment codes,
      long codesAt,
      MemorySegment parameters,
      long parametersAt,
      float[] to,
      int at,
      int dim) {
    long code = codesAt;
    long parameter = parametersAt;
    for (int i = 0; i < dim; i += GROUP) {
      int count = Math.min(GROUP, dim - i);
      int half = (count + 1) / 2;
      float step = Float.float16ToFloat(parameters.get(Tensor.SHORT, parameter));
      float minimum = Float.float16ToFloat(parameters.get(Tensor.SHORT, parameter + Short.BYTES));
      for (int j = 0; j < count; j++) {
        int pair = codes.get(ValueLayout.JAVA_BYTE, code + j % half);
        to[at + i + j] = (j < half ? pair & 15 : pair >> 4 & 15) * step + minimum;
      }
      code += half;
      parameter += PARAMETER_BYTES;
    }
  }
}
