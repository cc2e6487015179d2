package io.attention4j.engine.recurrent;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.SoftmaxState;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class LamaTest {
  private static final int TOKENS = 8;
  private static final Rows X = Cases.wave(0.2, TOKENS, 4);
  private static final Rows P = Cases.wave(0.4, 4, 2);
  private static final Rows Q = Cases.wave(0.6, 4, 2);
  private static final Rows CONTEXT = Cases.wave(0.8, 1, 4);
  private static final Lama MEAN = new Lama(P, Q, null, true);
  private static final Lama LEARNED = new Lama(P, Q, CONTEXT, true);

  @Test
  void goldenValues() {
    double[] expected = {
      -0.1160384769, 0.5333101098, 0.4013581362, -0.3185844472,
      -0.3062531608, 0.1599668310, 0.3918350406, 0.0496639977
    };
    assertArrayEquals(expected, MEAN.pool(X, null).embedding().values(), 1e-10);
  }

  @Test
  void scoresAreABilinearFormOfRankOne() {
    Rows z = new Lama(P, Q, CONTEXT, false).scores(X, CONTEXT);
    for (int h = 0; h < 2; h++) {
      double form = 0;
      for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) {
          form += CONTEXT.at(0, i) * P.at(i, h) * Q.at(j, h) * X.at(5, j);
        }
      }
      assertEquals(Math.tanh(form), z.at(5, h), Cases.ROUNDING);
    }
  }

  @Test
  void columnsHaveUnitNormAndRowsOfWeightsSumToOne() {
    Rows z = LEARNED.scores(X, CONTEXT);
    for (int t = 0; t < TOKENS; t++) {
      double squares = z.at(t, 0) * z.at(t, 0) + z.at(t, 1) * z.at(t, 1);
      assertEquals(1, squares, Cases.ROUNDING);
    }
    Rows weights = MEAN.pool(X, null).weights();
    for (int h = 0; h < 2; h++) {
      assertEquals(1, Cases.sum(weights.slice(h, h + 1)), Cases.ROUNDING);
    }
  }

  @Test
  void paddingChangesNothing() {
    boolean[] kept = new boolean[TOKENS];
    Arrays.fill(kept, 0, 5, true);
    for (Lama lama : new Lama[] {MEAN, LEARNED}) {
      Lama.Pooled padded = lama.pool(X, kept);
      assertArrayEquals(
          lama.pool(X.slice(0, 5), null).embedding().values(), padded.embedding().values());
      assertEquals(0, padded.weights().at(0, 5), "a masked token has weight exactly 0");
    }
    Lama.Pooled nothing = MEAN.pool(X, new boolean[TOKENS]);
    assertEquals(0, Cases.sum(nothing.weights()));
    assertArrayEquals(new double[8], nothing.embedding().values());
  }

  @Test
  void permutingTokensPermutesTheWeights() {
    int[] order = {3, 1, 7, 0, 6, 2, 5, 4};
    double[] turned = new double[TOKENS * 4];
    for (int t = 0; t < TOKENS; t++) {
      System.arraycopy(X.values(), order[t] * 4, turned, t * 4, 4);
    }
    Lama.Pooled expected = MEAN.pool(X, null);
    Lama.Pooled pooled = MEAN.pool(new Rows(turned, 4), null);
    Cases.assertClose(expected.embedding(), pooled.embedding(), "embedding");
    for (int t = 0; t < TOKENS; t++) {
      assertEquals(expected.weights().at(1, order[t]), pooled.weights().at(1, t), Cases.ROUNDING);
    }
  }

  @Test
  void withALearnedContextItIsAarenOnItsScores() {
    Rows z = LEARNED.scores(X, CONTEXT);
    Rows all = LEARNED.scan(X, LEARNED.newStates());
    for (int h = 0; h < 2; h++) {
      double[] scores = new double[TOKENS];
      for (int t = 0; t < TOKENS; t++) {
        scores[t] = z.at(t, h);
      }
      Rows aaren = Aaren.parallelScan(new double[] {1}, new Rows(scores, 1), X, 1);
      for (int t = 0; t < TOKENS; t++) {
        assertEquals(aaren.at(t, 2), all.at(t, h * 4 + 2), Cases.ROUNDING);
      }
    }
    assertEquals(LEARNED.pool(X, null).embedding().at(1, 3), all.at(7, 7), Cases.ROUNDING);
  }

  @Test
  void everySplitAndMergedShardsGiveTheWhole() {
    Rows whole = LEARNED.scan(X, LEARNED.newStates());
    for (int split = 0; split <= TOKENS; split++) {
      SoftmaxState[] left = LEARNED.newStates();
      Cases.assertClose(
          whole.slice(0, split), LEARNED.scan(X.slice(0, split), left), "to " + split);
      SoftmaxState[] right = LEARNED.newStates();
      LEARNED.scan(X.slice(split, TOKENS), right);
      assertEquals(
          whole.at(7, 1),
          new SoftmaxState(4).set(left[0]).combine(right[0]).output(1),
          Cases.ROUNDING);
      Cases.assertClose(
          whole.slice(split, TOKENS), LEARNED.scan(X.slice(split, TOKENS), left), "from " + split);
    }
  }

  @Test
  void aTokenOfZerosIsNotANumberNowhere() {
    Rows x = new Rows(new double[8], 4);
    Lama.Pooled pooled = MEAN.pool(x, null);
    assertArrayEquals(new double[] {0.5, 0.5, 0.5, 0.5}, pooled.weights().values());
  }

  @Test
  void refusals() {
    String one =
        assertThrows(
                IllegalArgumentException.class,
                () -> new Lama(Cases.wave(0, 4, 1), Cases.wave(0, 4, 1), null, true))
            .getMessage();
    assertTrue(one.startsWith("one head whose scores are normalised"), one);
    assertThrows(IllegalArgumentException.class, () -> new Lama(P, Q, P, true));
    assertThrows(IllegalArgumentException.class, () -> MEAN.pool(X, new boolean[3]));
    assertThrows(IllegalArgumentException.class, () -> MEAN.pool(Cases.v(3), null));
    String mean =
        assertThrows(IllegalStateException.class, () -> MEAN.scan(X, MEAN.newStates()))
            .getMessage();
    assertTrue(mean.startsWith("with the mean as context every token changes all scores"), mean);
  }
}
