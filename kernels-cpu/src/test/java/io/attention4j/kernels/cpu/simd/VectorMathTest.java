package io.attention4j.kernels.cpu.simd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.tensor.BFloat16;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.attention.PageFormat;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
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
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(0x10000L * Short.BYTES);
      for (int bits = 0; bits < 0x10000; bits++) {
        memory.setAtIndex(Tensor.SHORT, bits, (short) bits);
      }
      for (PageFormat format : List.of(PageFormat.F16, PageFormat.BF16)) {
        // In blocks, and without.
        requireExact(format, new RowBlocks(format, RowBlocks.BLOCK, true), memory);
        requireExact(format, new RowBlocks(format, Species.LANES, true), memory);
      }
    }
  }

  /** A value of weight 1 is its own sum. */
  private static void requireExact(PageFormat format, RowBlocks layout, MemorySegment memory) {
    ValueSums values = new ValueSums(format, layout);
    float[] weights = new float[4];
    float[] sums = new float[values.sumFloats() + 1];
    float[] rows = new float[values.rowFloats()];
    float[] read = new float[layout.dim];
    for (int slot = 0; slot < 0x10000 / layout.dim; slot++) {
      Arrays.fill(sums, 0);
      Arrays.fill(weights, values.weightFactor());
      values.add(memory, 0, 0x10000 / layout.dim, slot, 1, weights, 0, sums, 0, rows);
      values.unpack(sums, 0, slot % 4, read, 0);
      for (int d = 0; d < layout.dim; d++) {
        short word = (short) (slot * layout.dim + d);
        float exact =
            format == PageFormat.F16 ? Float.float16ToFloat(word) : BFloat16.toFloat(word);
        // assertEquals of floats compares bits, but holds any NaN equal to any other.
        assertEquals(0f + exact, read[d], format + " " + word);
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
