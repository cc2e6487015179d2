package io.attention4j.engine.recurrent.layer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class AttentionIndicatorsTest {
  @Test
  void ofUniformAndOfDiagonalWeights() {
    double[] uniform = {1, 0, 0.5, 0.5};
    double[] diagonal = {1, 0, 0, 1};
    AttentionIndicators same = AttentionIndicators.of(new double[][] {uniform, uniform}, 2);
    assertEquals(Math.log(2) / 2, same.entropy(), 1e-15);
    assertEquals(Math.sqrt(1.5), same.concentration(), 1e-15);
    assertEquals(0, same.headDiversity());
    assertEquals(0.75, same.sink(), 1e-15);
    assertArrayEquals(new double[] {0.75, 0.5, 0, 0}, same.localFocus(), 1e-15);
    AttentionIndicators mixed = AttentionIndicators.of(new double[][] {uniform, diagonal}, 2);
    // Two of three visible positions differ by 0.5, a deviation of 0.25 each.
    assertEquals(0.5 / 3, mixed.headDiversity(), 1e-15);
    assertEquals(0.625, mixed.sink(), 1e-15);
  }

  @Test
  void refusals() {
    assertThrows(
        IllegalArgumentException.class,
        () -> AttentionIndicators.of(new double[][] {{1, 0, 0}}, 2));
    assertThrows(IllegalArgumentException.class, () -> AttentionIndicators.of(new double[0][], 2));
  }
}
