package io.attention4j.kernels.cpu.simd;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.SplittableRandom;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;

class LaneSumTest {
  /** Often enough for the interpreter, C1 and C2. */
  private static final int RUNS = 50_000;

  @Test
  void halvesAreAddedWhoeverCompilesIt() {
    SplittableRandom random = new SplittableRandom(1);
    float[] lanes = new float[Species.LANES];
    for (int run = 0; run < RUNS; run++) {
      for (int i = 0; i < lanes.length; i++) {
        lanes[i] = (float) Math.scalb(random.nextDouble(-1, 1), random.nextInt(-20, 20));
      }
      float sum = LaneSum.of(FloatVector.fromArray(Species.FLOAT, lanes, 0));
      for (int half = lanes.length / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) {
          lanes[i] += lanes[i + half];
        }
      }
      assertEquals(Float.floatToRawIntBits(lanes[0]), Float.floatToRawIntBits(sum), "run " + run);
    }
  }
}
