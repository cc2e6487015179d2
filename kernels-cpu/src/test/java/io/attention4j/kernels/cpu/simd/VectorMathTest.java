package io.attention4j.kernels.cpu.simd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.tensor.BFloat16;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

@EnabledIf("io.attention4j.kernels.cpu.simd.VectorWidths#available")
class VectorMathTest {
  private static float[] exp2(float... x) {
    float[] padded = new float[Species.LANES];
    System.arraycopy(x, 0, padded, 0, x.length);
    Exp2.of(FloatVector.fromArray(Species.FLOAT, padded, 0)).intoArray(padded, 0);
    return padded;
  }

  @Test
  void powersOfTwoKeepTheStatedError() {
    double worst = 0;
    float[] x = new float[Species.LANES];
    for (double first = -126; first < 128; first += 0.01) {
      for (int lane = 0; lane < x.length; lane++) {
        x[lane] = (float) Math.min(127.99, first + lane * 0.00061);
      }
      float[] y = exp2(x);
      for (int lane = 0; lane < x.length; lane++) {
        double exact = Math.pow(2, x[lane]);
        worst = Math.max(worst, Math.abs(y[lane] - exact) / exact);
      }
    }
    assertTrue(worst < 1.7e-7, "relative error " + worst);
  }

  @Test
  void powersOfTwoEndWhereTheyMust() {
    assertEquals(1f, exp2(0)[0]);
    assertEquals(0f, exp2(Float.NEGATIVE_INFINITY)[0]);
    assertEquals(0f, exp2(-1e30f)[0]);
    assertEquals(Float.POSITIVE_INFINITY, exp2(Float.POSITIVE_INFINITY)[0]);
    assertEquals(Float.POSITIVE_INFINITY, exp2(1e30f)[0]);
    assertTrue(Float.isNaN(exp2(Float.NaN)[0]));
    // Below the smallest normal number only the magnitude is kept.
    assertTrue(exp2(-126.7f)[0] < 0x1p-126f);
  }

  @Test
  void softCapFollowsTanh() {
    float[] x = new float[401];
    float[] capped = new float[401];
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) Math.copySign(Math.pow(10, Math.abs(i - 200) / 25.0 - 5), i - 200);
      capped[i] = x[i];
    }
    Exp2.softCap(capped, 0, capped.length, 30);
    for (int i = 0; i < x.length; i++) {
      double exact = 30 * Math.tanh(x[i] / 30.0);
      assertEquals(exact, capped[i], 5e-7 * Math.abs(exact), "soft cap of " + x[i]);
    }
  }

  @Test
  void everyHalfAndBfloat16IsReadExactly() {
    int lanes = Species.LANES;
    float[] half = new float[lanes];
    float[] brain = new float[lanes];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(0x10000L * Short.BYTES);
      for (int bits = 0; bits < 0x10000; bits++) {
        memory.setAtIndex(Tensor.SHORT, bits, (short) bits);
      }
      for (int bits = 0; bits < 0x10000; bits += lanes) {
        PageVectors.f16(memory, bits * 2L).intoArray(half, 0);
        PageVectors.bf16(memory, bits * 2L).intoArray(brain, 0);
        for (int lane = 0; lane < lanes; lane++) {
          short word = (short) (bits + lane);
          // assertEquals of floats compares bits, but holds any NaN equal to any other.
          assertEquals(Float.float16ToFloat(word), half[lane]);
          assertEquals(BFloat16.toFloat(word), brain[lane]);
        }
      }
    }
  }

  @Test
  void panelsCoverEveryRowOnce() {
    for (int count = 1; count < 700; count++) {
      int padded = Panels.padded(count);
      assertEquals(padded, 6 * Panels.sixes(padded) + 4 * Panels.fours(padded));
      assertTrue(padded >= count && padded <= Math.max(4, count + 1));
    }
  }
}
