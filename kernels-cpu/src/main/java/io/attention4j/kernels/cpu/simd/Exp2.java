package io.attention4j.kernels.cpu.simd;

import static jdk.incubator.vector.VectorOperators.ABS;
import static jdk.incubator.vector.VectorOperators.EQ;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LT;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/**
 * Powers of two, and what attention builds on them.
 *
 * <p>2^x = 2^n * 2^f with n the nearest integer and f in [-0.5, 0.5]; 2^f by a minimax polynomial
 * of degree 5 whose constant term is exactly 1. Relative error below 1.7e-7 (measured over all f);
 * 2^-inf is exactly 0 and 2^0 exactly 1. Results below 2^-126 lose precision, NaN stays NaN.
 * Clamping is compare and blend, because C2 makes five instructions of a float MIN or MAX.
 */
final class Exp2 {
  /** log2(e). */
  static final float LOG2_E = 1.44269504088896f;

  /** Adding it leaves the nearest integer in the low bits of the mantissa: 1.5 * 2^23. */
  private static final float ROUND = 0x1.8p23f;

  private static final float C1 = 0.6931470036506653f;
  private static final float C2 = 0.24022242426872253f;
  private static final float C3 = 0.05550733581185341f;
  private static final float C4 = 0.009671512991189957f;
  private static final float C5 = 0.001326472731307149f;

  private Exp2() {}

  /** 2^x for x at most 127, as softmax needs it: scores below their maximum. */
  static FloatVector upTo127(FloatVector x) {
    // At -127 the exponent field becomes 0, which with f = 0 is exactly zero.
    FloatVector clamped = x.blend(-127f, x.compare(LT, -127f));
    FloatVector rounded = clamped.add(ROUND);
    FloatVector f = clamped.sub(rounded.sub(ROUND));
    FloatVector p = FloatVector.broadcast(Species.FLOAT, C5);
    p = p.fma(f, FloatVector.broadcast(Species.FLOAT, C4));
    p = p.fma(f, FloatVector.broadcast(Species.FLOAT, C3));
    p = p.fma(f, FloatVector.broadcast(Species.FLOAT, C2));
    p = p.fma(f, FloatVector.broadcast(Species.FLOAT, C1));
    p = p.fma(f, FloatVector.broadcast(Species.FLOAT, 1f));
    return p.reinterpretAsInts()
        .add(rounded.reinterpretAsInts().lanewise(LSHL, 23))
        .reinterpretAsFloats();
  }

  /** 2^x for any x; +inf from 128 on. */
  static FloatVector of(FloatVector x) {
    return upTo127(x.blend(128f, x.compare(GT, 128f)));
  }

  /** cap * tanh(x / cap) in place; relative error of the tanh below 5e-7. */
  static void softCap(float[] x, int from, int to, float cap) {
    int i = from;
    for (; i + Species.LANES <= to; i += Species.LANES) {
      tanh(FloatVector.fromArray(Species.FLOAT, x, i).div(cap)).mul(cap).intoArray(x, i);
    }
    for (; i < to; i++) {
      x[i] = (float) (cap * Math.tanh(x[i] / cap));
    }
  }

  /** tanh(y), relative error below 5e-7. */
  static FloatVector tanh(FloatVector y) {
    FloatVector a = y.lanewise(ABS);
    FloatVector power = of(a.mul(2 * LOG2_E));
    FloatVector large =
        FloatVector.broadcast(Species.FLOAT, 1f)
            .sub(FloatVector.broadcast(Species.FLOAT, 2f).div(power.add(1f)));
    // Near 0 the difference cancels; Cephes' odd polynomial (Moshier, tanhf) serves there.
    FloatVector z = a.mul(a);
    FloatVector p = FloatVector.broadcast(Species.FLOAT, -5.70498872745e-3f);
    p = p.fma(z, FloatVector.broadcast(Species.FLOAT, 2.06390887954e-2f));
    p = p.fma(z, FloatVector.broadcast(Species.FLOAT, -5.37397155531e-2f));
    p = p.fma(z, FloatVector.broadcast(Species.FLOAT, 1.33314422036e-1f));
    p = p.fma(z, FloatVector.broadcast(Species.FLOAT, -3.33332819422e-1f));
    FloatVector small = p.mul(z).fma(a, a);
    FloatVector magnitude = large.blend(small, a.compare(LT, 0.625f));
    return magnitude.blend(magnitude.neg(), y.compare(LT, 0f));
  }

  /** x with the lanes that are -inf replaced by 0, so that differences with it are no NaN. */
  static FloatVector finiteOrZero(FloatVector x) {
    VectorMask<Float> empty = x.compare(EQ, Float.NEGATIVE_INFINITY);
    return x.blend(0f, empty);
  }
}
