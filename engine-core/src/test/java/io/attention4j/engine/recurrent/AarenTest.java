package io.attention4j.engine.recurrent;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.attention4j.engine.attention.OnlineSoftmax;
import io.attention4j.engine.attention.SoftmaxState;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;

class AarenTest {
  private static final int TOKENS = 21;
  private static final double[] QUERY = Cases.wave(0.9, 1, Cases.KEY_DIM).values();
  private static final Rows K = Cases.k(TOKENS);
  private static final Rows V = Cases.v(TOKENS);

  private static SoftmaxState empty() {
    return new SoftmaxState(Cases.VALUE_DIM);
  }

  private static double score(int t, double shift) {
    double score = shift;
    for (int i = 0; i < QUERY.length; i++) {
      score += Cases.SCALE * QUERY[i] * K.at(t, i);
    }
    return score;
  }

  /** softmax(scores) V over the first tokens, as attention defines it. */
  private static double[] softmax(int tokens) {
    double sum = 0;
    double[] out = new double[Cases.VALUE_DIM];
    for (int t = 0; t < tokens; t++) {
      double weight = Math.exp(score(t, 0));
      sum += weight;
      for (int d = 0; d < out.length; d++) {
        out[d] += weight * V.at(t, d);
      }
    }
    for (int d = 0; d < out.length; d++) {
      out[d] /= sum;
    }
    return out;
  }

  private static double[] output(SoftmaxState state) {
    double[] out = new double[state.valueDim()];
    for (int d = 0; d < out.length; d++) {
      out[d] = state.output(d);
    }
    return out;
  }

  @Test
  void goldenValues() {
    SoftmaxState state = empty();
    Rows y = Aaren.recurrent(QUERY, K.slice(0, 8), V.slice(0, 8), Cases.SCALE, state);
    assertEquals(5.621215126173, Cases.sum(y), 1e-12);
    assertEquals(0.088331132788, y.at(7, 0), 1e-12);
    assertEquals(1.195719090010, state.max(), 1e-12);
    assertEquals(3.365971268452, state.sum(), 1e-12);
  }

  @Test
  void everyPrefixIsItsSoftmaxInEveryForm() {
    double[] expected = new double[TOKENS * Cases.VALUE_DIM];
    for (int t = 0; t < TOKENS; t++) {
      System.arraycopy(softmax(t + 1), 0, expected, t * Cases.VALUE_DIM, Cases.VALUE_DIM);
    }
    Rows recurrent = Aaren.recurrent(QUERY, K, V, Cases.SCALE, empty());
    Cases.assertClose(expected, recurrent.values(), "recurrent");
    Rows scan = Aaren.parallelScan(QUERY, K, V, Cases.SCALE);
    Cases.assertClose(expected, scan.values(), "Hillis-Steele");
    for (int chunk = 1; chunk <= TOKENS + 1; chunk++) {
      Rows chunked = Aaren.chunkedScan(QUERY, K, V, Cases.SCALE, empty(), chunk);
      Cases.assertClose(expected, chunked.values(), "chunks of " + chunk);
    }
  }

  @Test
  void everyBlockSizeIsOneRowOfAttention() {
    double[] expected = softmax(TOKENS);
    for (int block = 1; block <= TOKENS + 1; block++) {
      SoftmaxState state = empty();
      Aaren.manyToOne(QUERY, K, V, Cases.SCALE, state, block);
      Cases.assertClose(expected, output(state), "blocks of " + block);
    }
  }

  @Test
  void everySplitGivesTheWhole() {
    Rows expected = Aaren.recurrent(QUERY, K, V, Cases.SCALE, empty());
    for (int split = 0; split <= TOKENS; split++) {
      SoftmaxState state = empty();
      Aaren.chunkedScan(QUERY, K.slice(0, split), V.slice(0, split), Cases.SCALE, state, 4);
      Rows tail =
          Aaren.recurrent(
              QUERY, K.slice(split, TOKENS), V.slice(split, TOKENS), Cases.SCALE, state);
      Cases.assertClose(expected.slice(split, TOKENS), tail, "split at " + split);
    }
  }

  private static SoftmaxState range(int from, int to) {
    SoftmaxState state = empty();
    for (int t = from; t < to; t++) {
      state.combine(empty().set(score(t, 0), V.values(), t * Cases.VALUE_DIM));
    }
    return state;
  }

  @Test
  void theRuleIsAssociativeAndCommutativeAndTheEmptySetNeutral() {
    SoftmaxState left = range(0, 5).combine(range(5, 9)).combine(range(9, TOKENS));
    SoftmaxState right = range(0, 5).combine(range(5, 9).combine(range(9, TOKENS)));
    SoftmaxState turned = range(9, TOKENS).combine(range(5, 9)).combine(range(0, 5));
    for (SoftmaxState state : new SoftmaxState[] {right, turned, range(0, TOKENS)}) {
      Cases.assertClose(output(left), output(state), "output");
      assertEquals(left.lse(), state.lse(), Cases.ROUNDING);
    }
    assertArrayEquals(output(left), output(empty().combine(left)));
    assertArrayEquals(output(left), output(empty().set(left).combine(empty())));
    SoftmaxState nothing = empty().combine(empty());
    assertEquals(Double.NEGATIVE_INFINITY, nothing.lse());
    assertArrayEquals(new double[Cases.VALUE_DIM], output(nothing));
  }

  @Test
  void aHiddenKeyDoesNotCountWhateverItsValueHolds() {
    double[] poison = {Double.NaN, Double.NaN, Double.NaN};
    SoftmaxState hidden = empty().set(Double.NEGATIVE_INFINITY, poison, 0);
    assertArrayEquals(output(range(0, 5)), output(range(0, 5).combine(hidden)));
  }

  @Test
  void scoresOfTenThousandChangeNothing() {
    SoftmaxState state = empty();
    for (int t = 0; t < TOKENS; t++) {
      state.combine(empty().set(score(t, 1e4), V.values(), t * Cases.VALUE_DIM));
    }
    // A score near 1e4 has 1e-12 of rounding, and so have the weights.
    assertArrayEquals(softmax(TOKENS), output(state), 1e-11);
  }

  /** A fixed query needs a single feature, e^score. */
  @Test
  void itIsNormalisedLinearAttentionOnOneFeature() {
    double[] feature = new double[TOKENS];
    double[] one = new double[TOKENS];
    for (int t = 0; t < TOKENS; t++) {
      feature[t] = Math.exp(score(t, 0));
      one[t] = 1;
    }
    DynamicalSystem system =
        NormalizedLinearAttention.ratioSystem(new Rows(one, 1), new Rows(feature, 1), V);
    Cases.assertClose(
        Aaren.recurrent(QUERY, K, V, Cases.SCALE, empty()), Cases.run(system), "one feature");
  }

  /** The merge of split KV ranges is the same rule on (lse, 1, out). */
  @Test
  void onlineSoftmaxMergesTheSameStates() {
    try (Arena arena = Arena.ofConfined()) {
      SoftmaxState a = range(0, 9);
      SoftmaxState b = range(9, TOKENS);
      Tensor outA = tensor(arena, output(a));
      Tensor lseA = Tensor.ofFloats(arena, new float[] {(float) a.lse()}, 1, 1);
      Tensor lseB = Tensor.ofFloats(arena, new float[] {(float) b.lse()}, 1, 1);
      OnlineSoftmax.merge(outA, lseA, tensor(arena, output(b)), lseB);
      double[] expected = softmax(TOKENS);
      for (int d = 0; d < expected.length; d++) {
        assertEquals(expected[d], outA.toFloats()[d], 1e-6, "rounded to f32 twice");
      }
      assertEquals(a.combine(b).lse(), lseA.toFloats()[0], 1e-6, "rounded to f32 twice");
    }
  }

  private static Tensor tensor(Arena arena, double[] values) {
    float[] floats = new float[values.length];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = (float) values[i];
    }
    return Tensor.ofFloats(arena, floats, 1, 1, values.length);
  }

  @Test
  void refusals() {
    assertEquals(
        "keys [21, 4] and values [20, 3] do not fit a query of 4 elements and each other",
        assertThrows(
                IllegalArgumentException.class,
                () -> Aaren.parallelScan(QUERY, K, V.slice(0, 20), 1))
            .getMessage());
    assertEquals(
        "a block of 0 tokens; it needs at least 1",
        assertThrows(
                IllegalArgumentException.class, () -> Aaren.manyToOne(QUERY, K, V, 1, empty(), 0))
            .getMessage());
  }
}
