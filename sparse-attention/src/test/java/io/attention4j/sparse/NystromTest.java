package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.sparse.OperatorRun.Data;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Nystromformer, and its pseudo-inverse. */
class NystromTest {
  private static OperatorRun open(String kernels, String option) {
    return new OperatorRun(kernels, option, new Mask.All(), "contiguous+f32");
  }

  /** S pinv(S) S = S; scores up to 11 make S ill-conditioned, hence the iterations. */
  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.scalar", "cpu.simd"})
  void asManyLandmarksAsTokensIsSoftmax(String kernels) {
    Data data = Data.random(24, 1);
    float[] expected = OperatorRun.expected(data, (row, key) -> true);
    try (OperatorRun run = open(kernels, "nystrom:landmarks=4096;iterations=40")) {
      // Condition numbers of some 1e3 times the rounding of f32 intermediate values.
      assertArrayEquals(expected, run.outputs(data, 24), 2e-3f);
    }
  }

  /** Rows of a segment that are alike lose nothing by being averaged. */
  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.scalar", "cpu.simd"})
  void alikeTokensLoseNothing(String kernels) {
    Data few = Data.random(8, 2);
    int times = 5;
    Data data = new Data(repeated(few.q(), 8, times), repeated(few.k(), 8, times), few.v());
    float[] v = Data.random(8 * times, 3).v();
    data = new Data(data.q(), data.k(), v);
    float[] expected = OperatorRun.expected(data, (row, key) -> true);
    try (OperatorRun run = open(kernels, "nystrom:landmarks=8;iterations=40")) {
      assertArrayEquals(expected, run.outputs(data, 8 * times), 2e-3f);
    }
  }

  private static float[] repeated(float[] rows, int count, int times) {
    int width = rows.length / count;
    float[] result = new float[rows.length * times];
    for (int i = 0; i < count * times; i++) {
      System.arraycopy(rows, i / times * width, result, i * width, width);
    }
    return result;
  }

  @Test
  void thePseudoInverseInvertsARegularMatrix() {
    SplittableRandom random = new SplittableRandom(4);
    int n = 12;
    double[][] a = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        a[i][j] = random.nextDouble() + (i == j ? 3 : 0);
      }
    }
    double[][] z = PseudoInverse.of(a, 20);
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        double sum = 0;
        for (int k = 0; k < n; k++) {
          sum += a[i][k] * z[k][j];
        }
        assertEquals(i == j ? 1 : 0, sum, 1e-12);
      }
    }
  }

  /** Of ones, 1 / n^2 each: no inverse exists. */
  @Test
  void thePseudoInverseOfASingularMatrixIsMoorePenrose() {
    double[][] ones = new double[5][5];
    for (double[] row : ones) {
      Arrays.fill(row, 1);
    }
    for (double[] row : PseudoInverse.of(ones, 20)) {
      for (double x : row) {
        assertEquals(1.0 / 25, x, 1e-12);
      }
    }
  }

  @Test
  void sequencesOfABatchDoNotMeet() {
    Data a = Data.random(40, 5);
    Data b = Data.random(23, 6);
    try (OperatorRun run = open("cpu.simd", "nystrom:landmarks=8")) {
      float[] alone = run.outputs(b, 23);
      var states = new LayerState[] {run.layer.newState(), run.layer.newState()};
      float[] both = run.step(states, new Data[] {a, b}, new int[2], new int[] {40, 23});
      assertArrayEquals(alone, Arrays.copyOfRange(both, both.length - alone.length, both.length));
      Arrays.stream(states).forEach(LayerState::close);
    }
  }

  @Test
  void aCausalLayerIsRefused() {
    Exception e =
        assertThrows(
            IllegalArgumentException.class, () -> new OperatorRun("reference", "nystrom").close());
    assertTrue(e.getMessage().contains("use softmax there"), e.getMessage());
  }

  @Test
  void aSequenceInPiecesIsRefused() {
    Data data = Data.random(20, 7);
    try (OperatorRun run = open("reference", "nystrom")) {
      Exception e = assertThrows(IllegalStateException.class, () -> run.outputs(data, 10));
      assertTrue(e.getMessage().contains("whole sequence in one step"), e.getMessage());
    }
  }
}
