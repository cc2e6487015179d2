package io.attention4j.benchmarks.attention;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class PeerContenderTest {
  private static IllegalStateException refusal(float[] ours, float[] theirs) {
    return assertThrows(
        IllegalStateException.class, () -> PeerContender.requireClose("peer", ours, theirs));
  }

  @Test
  void roundingPasses() {
    PeerContender.requireClose("peer", new float[] {1, -2}, new float[] {1.0001f, -2});
  }

  @Test
  void anotherResultIsRefused() {
    assertTrue(
        refusal(new float[] {1, 2}, new float[] {2, 1}).getMessage().contains("something else"));
    refusal(new float[] {1}, new float[] {1, 2});
  }

  @Test
  void nonFiniteResultsAreRefused() {
    assertTrue(refusal(new float[] {1}, new float[] {Float.NaN}).getMessage().contains("NaN"));
    refusal(new float[] {Float.NaN}, new float[] {1});
    refusal(new float[] {Float.POSITIVE_INFINITY}, new float[] {Float.POSITIVE_INFINITY});
  }
}
