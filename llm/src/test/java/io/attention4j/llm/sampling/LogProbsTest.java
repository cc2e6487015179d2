package io.attention4j.llm.sampling;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class LogProbsTest {
  @Test
  void matchesTheDefinition() {
    SplittableRandom random = new SplittableRandom(7);
    float[] row = new float[333];
    double sum = 0;
    for (int i = 0; i < row.length; i++) {
      row[i] = (float) (5 * random.nextGaussian());
      sum += Math.exp(row[i]);
    }
    double total = 0;
    for (int i = 0; i < row.length; i++) {
      // Both sides are double; they differ by rounding in two sums of 333 terms.
      assertEquals(Math.log(Math.exp(row[i]) / sum), LogProbs.of(row, i), 1e-12);
      total += Math.exp(LogProbs.of(row, i));
    }
    assertEquals(1, total, 1e-12);
  }

  @Test
  void hugeLogitsStayFinite() {
    float[] row = {3e38f, -3e38f, Float.NEGATIVE_INFINITY};
    assertEquals(0, LogProbs.of(row, 0));
    assertEquals(Double.NEGATIVE_INFINITY, LogProbs.of(row, 2));
    assertEquals(2, LogProbs.top(row, 5).size());
  }

  @Test
  void topIsSortedWithTiesToTheLowerId() {
    float[] row = {1, 3, 2, 3, 0};
    assertEquals(
        List.of(1, 3, 2), LogProbs.top(row, 3).stream().map(LogProbs.TokenLogProb::token).toList());
    assertEquals(LogProbs.of(row, 2), LogProbs.top(row, 3).get(2).logProb());
    assertEquals(0, LogProbs.top(row, 0).size());
  }

  @Test
  void badInputIsRefused() {
    assertThrows(IllegalArgumentException.class, () -> LogProbs.of(new float[3], 3));
    assertThrows(IllegalArgumentException.class, () -> LogProbs.top(new float[3], -1));
    assertThrows(IllegalStateException.class, () -> LogProbs.of(new float[] {0, Float.NaN}, 0));
    assertThrows(
        IllegalStateException.class, () -> LogProbs.of(new float[] {Float.NEGATIVE_INFINITY}, 0));
  }
}
