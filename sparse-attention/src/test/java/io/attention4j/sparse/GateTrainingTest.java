package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.operator.OptionSpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class GateTrainingTest {
  private static final int DIM = 4;
  private static final int BLOCKS = 12;

  /** The truth is what a gate of other weights says, so it can be learned. */
  private static List<GateTraining.Sample> samples(int count, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    SplittableRandom ofTeacher = new SplittableRandom(99);
    double[][] teacher = new double[3 * DIM][DIM];
    for (double[] row : teacher) {
      Arrays.setAll(row, i -> ofTeacher.nextGaussian());
    }
    List<GateTraining.Sample> samples = new ArrayList<>();
    for (int s = 0; s < count; s++) {
      double[][][] keys = new double[1][BLOCKS][3 * DIM];
      double[][][] queries = new double[2][BLOCKS][DIM];
      double[][][] truth = new double[2][BLOCKS][];
      for (double[] key : keys[0]) {
        Arrays.setAll(key, i -> random.nextGaussian());
      }
      for (int h = 0; h < 2; h++) {
        for (int q = 0; q < BLOCKS; q++) {
          Arrays.setAll(queries[h][q], i -> random.nextGaussian());
          truth[h][q] = new double[q + 1];
          double sum = 0;
          for (int b = 0; b <= q; b++) {
            double dot = 0;
            for (int i = 0; i < 3 * DIM; i++) {
              for (int d = 0; d < DIM; d++) {
                dot += keys[0][b][i] * teacher[i][d] * queries[h][q][d];
              }
            }
            truth[h][q][b] = Math.exp(dot / Math.sqrt(DIM));
            sum += truth[h][q][b];
          }
          for (int b = 0; b <= q; b++) {
            truth[h][q][b] /= sum;
          }
        }
      }
      samples.add(new GateTraining.Sample(0, keys, queries, truth, Rotation.NONE));
    }
    return samples;
  }

  @Test
  void aGateLearnsWhatItCanSay() {
    GateTraining training = new GateTraining(2, 1, DIM, 8, 3);
    GateTraining.Outcome outcome = training.run(samples(20, 5), samples(5, 6), 60, 0.03, 3);
    double[] losses = outcome.losses();
    assertEquals(61, losses.length);
    assertTrue(losses[60] < 0.05 * losses[0], Arrays.toString(losses));
    assertTrue(outcome.trained() > outcome.untrained() + 0.2, outcome.toString());
    assertEquals(outcome.best(), outcome.trained(), 0.02);
  }

  @Test
  void withoutEpochsAGateStaysAsItWas() {
    GateTraining training = new GateTraining(2, 1, DIM, 8, 3);
    float[] before = training.weights();
    GateTraining.Outcome outcome = training.run(samples(2, 5), samples(2, 6), 0, 0.03, 3);
    assertEquals(outcome.untrained(), outcome.trained());
    assertTrue(Arrays.equals(before, training.weights()));
  }

  @Test
  void aFileIsNeeded() {
    Exception e =
        assertThrows(
            IllegalArgumentException.class,
            () -> new SparseOperators().create(OptionSpec.parse("seer-distill")));
    assertTrue(e.getMessage().contains("write to=FILE"), e.getMessage());
  }
}
