package io.attention4j.engine.attention;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class OnlineSoftmaxTest {
  private static final float EMPTY = Float.NEGATIVE_INFINITY;

  private final Arena arena = Arena.ofConfined();

  @AfterEach
  void close() {
    arena.close();
  }

  private Tensor out(float... values) {
    return Tensor.ofFloats(arena, values, 1, values.length / 2, 2);
  }

  private Tensor lse(float... values) {
    return Tensor.ofFloats(arena, values, 1, values.length);
  }

  @Test
  void logAddExpOfKnownValues() {
    assertEquals(Math.log(3), OnlineSoftmax.logAddExp(0, Math.log(2)), 1e-15);
    assertEquals(1000 + Math.log(2), OnlineSoftmax.logAddExp(1000, 1000), 1e-12);
    assertEquals(5, OnlineSoftmax.logAddExp(5, Double.NEGATIVE_INFINITY));
    assertEquals(
        Double.NEGATIVE_INFINITY,
        OnlineSoftmax.logAddExp(Double.NEGATIVE_INFINITY, Double.NEGATIVE_INFINITY));
  }

  @Test
  void mergesByWeight() {
    // Head 0: weights e^0 and e^ln 3, so 1/4 and 3/4. Head 1: equal weights.
    Tensor a = out(4, 8, 1, 1);
    Tensor lseA = lse(0, 2);
    OnlineSoftmax.merge(a, lseA, out(0, 4, 3, 5), lse((float) Math.log(3), 2));
    assertArrayEquals(new float[] {1, 5, 2, 3}, a.toFloats(), 1e-6f);
    assertArrayEquals(
        new float[] {(float) Math.log(4), (float) (2 + Math.log(2))}, lseA.toFloats(), 1e-6f);
  }

  @Test
  void anEmptyStateIsNeutral() {
    Tensor a = out(0, 0, 1, 2);
    Tensor lseA = lse(EMPTY, 5);
    OnlineSoftmax.merge(a, lseA, out(3, 4, 0, 0), lse(7, EMPTY));
    assertArrayEquals(new float[] {3, 4, 1, 2}, a.toFloats());
    assertArrayEquals(new float[] {7, 5}, lseA.toFloats());
  }

  @Test
  void twoEmptyStatesStayEmpty() {
    Tensor a = out(0, 0);
    Tensor lseA = lse(EMPTY);
    OnlineSoftmax.merge(a, lseA, out(0, 0), lse(EMPTY));
    assertArrayEquals(new float[] {0, 0}, a.toFloats());
    assertArrayEquals(new float[] {EMPTY}, lseA.toFloats());
  }

  @Test
  void farApartStatesDoNotOverflow() {
    Tensor a = out(1, 1);
    Tensor lseA = lse(-1e30f);
    OnlineSoftmax.merge(a, lseA, out(2, 3), lse(1e30f));
    assertArrayEquals(new float[] {2, 3}, a.toFloats());
    assertArrayEquals(new float[] {1e30f}, lseA.toFloats());
  }

  /** Kernels keep partial results in arrays; Aaren keeps one state: the same rule, to rounding. */
  @Test
  void statesInArraysCombineAsStates() {
    double[] scores = {0.5, -3, 7, 6.5, EMPTY, -40};
    double[][] values = {{1, -2}, {3, 0.5}, {-1, 4}, {2, 2}, {9, 9}, {0.1, 0.2}};
    for (double nats : new double[] {1, Math.log(2)}) {
      SoftmaxState whole = new SoftmaxState(2);
      SoftmaxState key = new SoftmaxState(2);
      float[] max = new float[scores.length];
      float[] sum = new float[scores.length];
      float[] weighted = new float[2 * scores.length];
      for (int i = 0; i < scores.length; i++) {
        key.set(scores[i], values[i], 0);
        whole.combine(key);
        max[i] = (float) (scores[i] / nats);
        sum[i] = (float) key.sum();
        weighted[2 * i] = (float) (key.sum() * values[i][0]);
        weighted[2 * i + 1] = (float) (key.sum() * values[i][1]);
      }
      for (int i = scores.length - 2; i >= 0; i--) {
        SoftmaxState.combine(max, sum, weighted, 2, i, i + 1, nats);
      }
      assertEquals(whole.lse(), max[0] * nats + Math.log(sum[0]), 1e-6);
      assertEquals(whole.output(0), weighted[0] / sum[0], 1e-6);
      assertEquals(whole.output(1), weighted[1] / sum[0], 1e-6);
    }
  }

  @Test
  void statesInArraysKeepEmptyAndNaN() {
    float[] max = {EMPTY, EMPTY, EMPTY, 3};
    float[] sum = {0, 0, Float.NaN, 2};
    float[] weighted = {0, 0, Float.NaN, 5};
    SoftmaxState.combine(max, sum, weighted, 1, 0, 1, 1);
    assertEquals(0, sum[0]);
    assertEquals(EMPTY, max[0]);
    SoftmaxState.combine(max, sum, weighted, 1, 1, 3, 1);
    assertEquals(3, max[1]);
    assertEquals(2, sum[1]);
    assertEquals(5, weighted[1]);
    SoftmaxState.combine(max, sum, weighted, 1, 1, 2, 1);
    assertTrue(Float.isNaN(sum[1]) && Float.isNaN(weighted[1]));
  }

  @Test
  void aSinkIsAKeyOfValueZero() {
    Tensor a = out(4, 8, 4, 8);
    Tensor lseA = lse(0, EMPTY);
    OnlineSoftmax.addSink(a, lseA, new float[] {(float) Math.log(3), 2});
    assertArrayEquals(new float[] {1, 2, 0, 0}, a.toFloats(), 1e-6f);
    assertArrayEquals(new float[] {(float) Math.log(4), 2}, lseA.toFloats(), 1e-6f);
  }

  @Test
  void aSinkOfMinusInfinityIsNone() {
    Tensor a = out(4, 8, 0, 0);
    Tensor lseA = lse(1, EMPTY);
    OnlineSoftmax.addSink(a, lseA, new float[] {EMPTY, EMPTY});
    assertArrayEquals(new float[] {4, 8, 0, 0}, a.toFloats());
    assertArrayEquals(new float[] {1, EMPTY}, lseA.toFloats());
  }

  @Test
  void refusalsNameBothShapes() {
    String shapes =
        assertThrows(
                IllegalArgumentException.class,
                () -> OnlineSoftmax.merge(out(1, 2), lse(0), out(1, 2, 3, 4), lse(0, 0)))
            .getMessage();
    assertTrue(shapes.contains("[1, 1, 2]") && shapes.contains("[1, 2, 2]"), shapes);
    String state =
        assertThrows(
                IllegalArgumentException.class,
                () -> OnlineSoftmax.merge(out(1, 2), lse(0, 0), out(1, 2), lse(0)))
            .getMessage();
    assertTrue(state.contains("[1, 1, 2]") && state.contains("[1, 2]"), state);
    String sinks =
        assertThrows(
                IllegalArgumentException.class,
                () -> OnlineSoftmax.addSink(out(1, 2), lse(0), new float[2]))
            .getMessage();
    assertEquals("2 sinks for 1 query heads", sinks);
  }
}
