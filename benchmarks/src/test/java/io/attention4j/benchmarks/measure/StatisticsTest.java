package io.attention4j.benchmarks.measure;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class StatisticsTest {
  @Test
  void medianIsTheMiddleOrTheMeanOfTheTwoMiddleOnes() {
    assertEquals(3, Statistics.median(3));
    assertEquals(2, Statistics.median(9, 1, 2));
    assertEquals(2.5, Statistics.median(4, 1, 3, 2));
    assertEquals(
        Double.POSITIVE_INFINITY, Statistics.median(1, Double.POSITIVE_INFINITY, 1e308 * 10));
  }

  @Test
  void medianLeavesItsArgumentAlone() {
    double[] values = {3, 1, 2};
    Statistics.median(values);
    assertEquals(3, values[0]);
  }

  @Test
  void noValueOrNotANumberHasNoMedian() {
    assertThrows(IllegalArgumentException.class, Statistics::median);
    assertThrows(IllegalArgumentException.class, () -> Statistics.median(1, Double.NaN, 2));
  }

  @Test
  void ratiosPairNeighbours() {
    // The machine is twice as slow in the last two rounds; each pair still says 1.5.
    double[] a = {3, 3, 6, 6.3};
    double[] b = {2, 2, 4, 4};
    assertEquals(1.5, Statistics.medianOfRatios(a, b), 1e-12);
    // One disturbed round does not move it.
    assertEquals(1.5, Statistics.medianOfRatios(new double[] {3, 90, 6}, new double[] {2, 2, 4}));
    assertThrows(
        IllegalArgumentException.class,
        () -> Statistics.medianOfRatios(new double[1], new double[2]));
  }
}
