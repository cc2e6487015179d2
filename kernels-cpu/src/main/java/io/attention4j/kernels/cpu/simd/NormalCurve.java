package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static jdk.incubator.vector.VectorOperators.ABS;
import static jdk.incubator.vector.VectorOperators.LT;

import io.attention4j.kernels.cpu.scalar.ScalarActivation;
import jdk.incubator.vector.FloatVector;

/** The normal distribution, as GELU needs it. */
final class NormalCurve {
  private static final float SQRT_HALF = 0.70710678f;

  private NormalCurve() {}

  /** Its share below x: erfc(-x / sqrt 2) / 2, with erfc as {@link ScalarActivation} has it. */
  static FloatVector below(FloatVector x) {
    FloatVector z = x.lanewise(ABS).mul(SQRT_HALF);
    FloatVector t = FloatVector.broadcast(FLOAT, 1f).div(z.mul(0.5f).add(1f));
    FloatVector p = FloatVector.broadcast(FLOAT, 0.17087277f);
    p = p.fma(t, FloatVector.broadcast(FLOAT, -0.82215223f));
    p = p.fma(t, FloatVector.broadcast(FLOAT, 1.48851587f));
    p = p.fma(t, FloatVector.broadcast(FLOAT, -1.13520398f));
    p = p.fma(t, FloatVector.broadcast(FLOAT, 0.27886807f));
    p = p.fma(t, FloatVector.broadcast(FLOAT, -0.18628806f));
    p = p.fma(t, FloatVector.broadcast(FLOAT, 0.09678418f));
    p = p.fma(t, FloatVector.broadcast(FLOAT, 0.37409196f));
    p = p.fma(t, FloatVector.broadcast(FLOAT, 1.00002368f));
    p = p.fma(t, FloatVector.broadcast(FLOAT, -1.26551223f));
    FloatVector tail = t.mul(Exp2.upTo127(p.sub(z.mul(z)).mul(Exp2.LOG2_E)));
    return tail.sub(2f).neg().blend(tail, x.compare(LT, 0f)).mul(0.5f);
  }
}
