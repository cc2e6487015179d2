package io.attention4j.kvcache;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.attention4j.engine.operator.LayerState;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Identities about what is dropped: tokens without weight, summaries, and equal heads. */
class DroppedTokensTest {
  private static final int QUERY_HEADS = 4;
  private static final int KV_HEADS = 2;
  private static final int DIM = 8;
  private static final int GROUP = QUERY_HEADS / KV_HEADS;
  private static final int PROMPT = 80;
  private static final float SCALE = (float) (1 / Math.sqrt(DIM));

  @TempDir private Path folder;
  private Path heads;

  @BeforeEach
  void writeHeads() throws IOException {
    heads = Files.writeString(folder.resolve("heads"), "[induction]\n0.5 0.1\n[echo]\n0 0\n");
  }

  private PolicyRun open(String policy, PolicyRun.Data data) {
    return new PolicyRun(
        policy.replace("HEADS", heads.toString()) + "+f32",
        QUERY_HEADS,
        KV_HEADS,
        DIM,
        data,
        1,
        null);
  }

  private TreeSet<Long> keptAfter(String policy, PolicyRun.Data data, int head) {
    try (PolicyRun run = open(policy, data)) {
      run.run(run.newState(), PROMPT, 33, 0);
      return PolicyRun.positions(run.ragged(), head);
    }
  }

  /** Tokens from 4 to 59 have scores at which exp is 0, for every query. */
  private static void weightlessMiddle(int position, float[] q, float[] k, float[] v) {
    PolicyRun.random(position, q, k, v);
    for (int head = 0; head < QUERY_HEADS; head++) {
      q[head * DIM] = 3;
    }
    for (int head = 0; head < KV_HEADS; head++) {
      k[head * DIM] = position >= 4 && position < 60 ? -1000 : 0;
    }
  }

  /** Each of these drops weightless tokens alone: what follows is as if they were there. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "sink-window:tokens=24;sinks=4",
        "duo:file=HEADS;heads=0;sinks=4;recent=20",
        "snapkv:tokens=24;window=6;kernel=1",
        "tova:tokens=24",
        "h2o:tokens=24",
        "razor:file=HEADS;induction=0;echo=0;buffer=20;compression=1000;sinks=4;summary=none"
      })
  void tokensWithoutWeightLeaveNoTrace(String policy) {
    try (PolicyRun dense = open("full", DroppedTokensTest::weightlessMiddle);
        PolicyRun run = open(policy, DroppedTokensTest::weightlessMiddle)) {
      LayerState expected = dense.newState();
      dense.run(expected, PROMPT, 33, 0);
      LayerState state = run.newState();
      run.run(state, PROMPT, 33, 0);
      assertEquals(24, run.ragged().head(0).count());
      assertEquals(24, run.ragged().head(1).count());
      // the same numbers in another order of summation, in float64, then rounded to f32
      assertArrayEquals(
          dense.step(expected, PROMPT, PROMPT + 1, false)[0],
          run.step(state, PROMPT, PROMPT + 1, false)[0],
          1e-7f);
    }
  }

  /** Heads with the same queries and keys share a budget evenly: AdaKV is SnapKV then. */
  @Test
  void equalHeadsShareEvenly() {
    PolicyRun.Data equal =
        (position, q, k, v) -> {
          PolicyRun.random(position, q, k, v);
          System.arraycopy(k, 0, k, DIM, DIM);
          System.arraycopy(q, 0, q, GROUP * DIM, GROUP * DIM);
        };
    for (double safeguard : new double[] {0, 0.2, 0.7, 1}) {
      for (int head = 0; head < KV_HEADS; head++) {
        assertEquals(
            keptAfter("snapkv:tokens=20;window=6", equal, head),
            keptAfter("adakv:tokens=20;window=6;safeguard=" + safeguard, equal, head));
      }
    }
  }

  @Test
  void duoWithoutRetrievalHeadsIsASinkWindow() {
    for (int head = 0; head < KV_HEADS; head++) {
      assertEquals(
          keptAfter("sink-window:tokens=24;sinks=3", PolicyRun::random, head),
          keptAfter("duo:file=HEADS;heads=0;sinks=3;recent=21", PolicyRun::random, head));
    }
  }

  /**
   * A summary of N tokens counts as N exp(score of their mean key) in the sum of the row, so that
   * the log sum of exponentials is log(sum of those kept + N exp(.)), and adds their mean value.
   */
  @Test
  void aSummaryCountsAsItsNumberOfTokens() {
    String razor = "razor:file=HEADS;induction=0;echo=0;buffer=20;compression=1000;sinks=4";
    try (PolicyRun run = open(razor, PolicyRun::random)) {
      LayerState state = run.newState();
      run.run(state, PROMPT, 33, 0);
      float[] actual = run.step(state, PROMPT, PROMPT + 1, false)[0];
      float[][] q = new float[PROMPT + 1][QUERY_HEADS * DIM];
      float[][] k = new float[PROMPT + 1][KV_HEADS * DIM];
      float[][] v = new float[PROMPT + 1][KV_HEADS * DIM];
      for (int at = 0; at <= PROMPT; at++) {
        PolicyRun.random(at, q[at], k[at], v[at]);
      }
      for (int head = 0; head < QUERY_HEADS; head++) {
        int from = head / GROUP * DIM;
        double[] meanKey = new double[DIM];
        double[] meanValue = new double[DIM];
        double[] out = new double[DIM];
        int dropped = PROMPT - 24;
        double sum = 0;
        for (int at = 0; at <= PROMPT; at++) {
          boolean kept = at < 4 || at >= PROMPT - 20;
          double weight = kept ? Math.exp(SCALE * dot(q[PROMPT], head, k[at], from)) : 0;
          sum += weight;
          for (int d = 0; d < DIM; d++) {
            out[d] += weight * v[at][from + d];
            meanKey[d] += kept ? 0 : k[at][from + d] / (double) dropped;
            meanValue[d] += kept ? 0 : v[at][from + d] / (double) dropped;
          }
        }
        double score = 0;
        for (int d = 0; d < DIM; d++) {
          score += q[PROMPT][head * DIM + d] * meanKey[d];
        }
        double weight = dropped * Math.exp(SCALE * score);
        for (int d = 0; d < DIM; d++) {
          double expected = (out[d] + weight * meanValue[d]) / (sum + weight);
          // log N, the mean key and the mean value are rounded to f32
          assertEquals(expected, actual[head * DIM + d], 2e-6);
        }
      }
    }
  }

  private static double dot(float[] q, int head, float[] k, int from) {
    double dot = 0;
    for (int d = 0; d < DIM; d++) {
      dot += q[head * DIM + d] * (double) k[from + d];
    }
    return dot;
  }
}
