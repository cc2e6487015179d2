package io.attention4j.testkit;

import java.util.SplittableRandom;

/** Random data that depends on a case's name alone, so that a failure can be run again. */
public final class CaseRandom {
  private final SplittableRandom random;

  /** Seeds from the name (FNV-1a, 64 bits). */
  public CaseRandom(String name) {
    long hash = 0xcbf29ce484222325L;
    for (int i = 0; i < name.length(); i++) {
      hash = (hash ^ name.charAt(i)) * 0x100000001b3L;
    }
    random = new SplittableRandom(hash);
  }

  /** Values evenly spread over [-magnitude, magnitude). */
  public float[] floats(int count, float magnitude) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextDouble(-1, 1) * magnitude;
    }
    return values;
  }

  /** An integer in [0, bound). */
  public int below(int bound) {
    return random.nextInt(bound);
  }

  /** True with this probability. */
  public boolean chance(double probability) {
    return random.nextDouble() < probability;
  }

  /** Fills an array with random bytes. */
  public byte[] bytes(int count) {
    byte[] values = new byte[count];
    random.nextBytes(values);
    return values;
  }
}
