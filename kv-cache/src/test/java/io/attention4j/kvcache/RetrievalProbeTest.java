package io.attention4j.kvcache;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.kvcache.policy.HeadTable;
import io.attention4j.kvcache.policy.RetrievalProbe;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Heads built by hand: one that copies, one that repeats, one that does neither. */
class RetrievalProbeTest {
  private static final int PERIOD = 25;
  private static final int DIM = 64;

  /** A direction of the token at a position of the repeated text. */
  private static float[] token(int position, float length) {
    SplittableRandom random = new SplittableRandom(Math.floorMod(position - 1, PERIOD));
    float[] vector = new float[DIM];
    double square = 0;
    for (int i = 0; i < DIM; i++) {
      vector[i] = (float) random.nextDouble(-1, 1);
      square += vector[i] * (double) vector[i];
    }
    for (int i = 0; i < DIM; i++) {
      vector[i] *= (float) (length / Math.sqrt(square));
    }
    return vector;
  }

  @Test
  void tellsInductionFromEchoAndTakesTheBestQueryHeadOfAGroup() {
    // 6 query heads, 3 KV heads; the second query head of each group looks at nothing.
    PolicyRun.Data data =
        (position, q, k, v) -> {
          Arrays.fill(q, 0);
          Arrays.fill(k, 0);
          if (position == 0) {
            return; // BOS
          }
          float[] own = token(position, 12);
          System.arraycopy(own, 0, q, 0, DIM); // head 0: keys are of the token before
          System.arraycopy(token(position - 1, 12), 0, k, 0, DIM);
          System.arraycopy(own, 0, q, 2 * DIM, DIM); // head 2: keys are of the token itself
          System.arraycopy(own, 0, k, DIM, DIM);
        };
    RetrievalProbe probe = new RetrievalProbe(1);
    probe.text(PERIOD, 1);
    try (PolicyRun run = new PolicyRun(probe, 6, 3, DIM, data)) {
      run.run(run.newState(), 1 + 4 * PERIOD, 30, 0);
      List<HeadTable> tables = probe.tables();
      assertEquals("induction", tables.get(0).name());
      double[] induction = tables.get(0).values()[0];
      double[] echo = tables.get(1).values()[0];
      assertTrue(induction[0] > 0.9, Arrays.toString(induction));
      assertTrue(echo[0] < 0.05, Arrays.toString(echo));
      // The row itself is a copy too and takes a share: 1/2, 1/3, 1/4 in the three repetitions.
      assertEquals((1 / 2.0 + 2 / 3.0 + 3 / 4.0) / 3, echo[1], 0.02);
      assertTrue(induction[1] < 0.05, Arrays.toString(induction));
      assertTrue(induction[2] < 0.1 && echo[2] < 0.1);
    }
  }
}
