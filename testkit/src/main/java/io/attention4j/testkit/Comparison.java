package io.attention4j.testkit;

/**
 * Compares a kernel's numbers with the reference's: first which are finite, then the errors, so
 * that a NaN cannot pass as a small error.
 */
public final class Comparison {
  private Comparison() {}

  /**
   * Fails unless both arrays are non-finite at the same places with the same values, every error is
   * at most {@code maxAbs}, and the norm of the errors is at most {@code normalised} times the norm
   * of the expected values.
   */
  public static void requireClose(
      String what, float[] expected, float[] actual, double maxAbs, double normalised) {
    if (expected.length != actual.length) {
      throw new AssertionError(
          what + ": " + actual.length + " values instead of " + expected.length);
    }
    for (int i = 0; i < expected.length; i++) {
      boolean same = Float.compare(expected[i], actual[i]) == 0;
      if (!same && (!Float.isFinite(expected[i]) || !Float.isFinite(actual[i]))) {
        throw new AssertionError(
            what + "[" + i + "] is " + actual[i] + " instead of " + expected[i]);
      }
    }
    double worst = 0;
    int worstAt = 0;
    double errors = 0;
    double norm = 0;
    for (int i = 0; i < expected.length; i++) {
      if (!Float.isFinite(expected[i])) {
        continue;
      }
      double error = Math.abs((double) expected[i] - actual[i]);
      errors += error * error;
      norm += (double) expected[i] * expected[i];
      if (error > worst) {
        worst = error;
        worstAt = i;
      }
    }
    if (worst > maxAbs) {
      throw new AssertionError(
          what
              + "["
              + worstAt
              + "] is "
              + actual[worstAt]
              + " instead of "
              + expected[worstAt]
              + ": error "
              + worst
              + " exceeds "
              + maxAbs);
    }
    if (normalised < Double.POSITIVE_INFINITY && Math.sqrt(errors) > normalised * Math.sqrt(norm)) {
      throw new AssertionError(
          what + ": normalised error " + Math.sqrt(errors / norm) + " exceeds " + normalised);
    }
  }

  /** As {@link #requireClose} with a bound on every single error only. */
  public static void requireWithin(String what, float[] expected, float[] actual, double maxAbs) {
    requireClose(what, expected, actual, maxAbs, Double.POSITIVE_INFINITY);
  }

  /**
   * As {@link #requireClose} with one relative tolerance: of the largest value, and of the norm.
   */
  public static void requireClose(String what, float[] expected, float[] actual, double relative) {
    double largest = 0;
    for (float value : expected) {
      if (Float.isFinite(value)) {
        largest = Math.max(largest, Math.abs(value));
      }
    }
    requireClose(what, expected, actual, largest * relative, relative);
  }

  /** Fails unless the bits are equal (any NaN equals any NaN). */
  public static void requireSameBits(String what, float[] expected, float[] actual) {
    for (int i = 0; i < Math.max(expected.length, actual.length); i++) {
      if (Float.floatToIntBits(expected[i]) != Float.floatToIntBits(actual[i])) {
        throw new AssertionError(
            what + "[" + i + "] is " + actual[i] + " instead of exactly " + expected[i]);
      }
    }
  }
}
