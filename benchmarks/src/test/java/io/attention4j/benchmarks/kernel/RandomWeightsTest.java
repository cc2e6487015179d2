package io.attention4j.benchmarks.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.RowCodec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class RandomWeightsTest {
  private static final int ELEMENTS = 1 << 16;
  private static final double DEVIATION = 0.02;

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      mode = EnumSource.Mode.EXCLUDE,
      names = {"F64", "I8", "I16", "I32", "I64"})
  void weightsHaveTheDeviationAndNearlyNoMean(DType dtype) {
    float[] values = new float[ELEMENTS];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(dtype.bytes(ELEMENTS));
      RandomWeights.fill(memory, dtype, DEVIATION, new SplittableRandom(1));
      RowCodec.of(dtype).decode(memory, 0, values, 0, ELEMENTS);
    }
    double sum = 0;
    double squares = 0;
    for (float value : values) {
      assertTrue(Float.isFinite(value), dtype + " holds " + value);
      sum += value;
      squares += (double) value * value;
    }
    double mean = sum / ELEMENTS;
    double deviation = Math.sqrt(squares / ELEMENTS - mean * mean);
    // Q4_0's codes lean by half a step, 0.11 deviations.
    assertEquals(0, mean / DEVIATION, 0.15, dtype + " mean in deviations");
    assertEquals(1, deviation / DEVIATION, 0.1, dtype + " deviation");
  }

  @Test
  void integersAreNoWeights() {
    assertThrows(
        IllegalArgumentException.class,
        () ->
            RandomWeights.fill(MemorySegment.NULL, DType.I32, DEVIATION, new SplittableRandom(1)));
  }
}
