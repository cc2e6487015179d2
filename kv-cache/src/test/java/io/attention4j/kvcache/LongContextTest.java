package io.attention4j.kvcache;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.operator.LayerState;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.Locale;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** 32k tokens: bytes, and recall by a hand-built induction head. */
class LongContextTest {
  private static final int TOKENS = 32_768;
  private static final int DIM = 64;
  private static final int VOCABULARY = 500;
  private static final int NEEDLES = 16;

  @TempDir private Path folder;

  /** One layer of so many KV heads of which the first {@code retrieval} have an induction score. */
  private String razor(int kvHeads, int retrieval, double share, String settings)
      throws IOException {
    Path file = folder.resolve("heads" + retrieval);
    String[] scores = new String[kvHeads];
    Arrays.fill(scores, "0");
    Arrays.fill(scores, 0, retrieval, "1");
    String zeros = String.join(" ", Collections.nCopies(kvHeads, "0"));
    Files.writeString(
        file, "[induction]\n" + String.join(" ", scores) + "\n[echo]\n" + zeros + "\n");
    return "razor:file=" + file + ";echo=0;induction=" + share + settings;
  }

  /** 20 heads of which 3 are retrieval heads, 15 %, at C = 6. */
  @Test
  void razorHoldsSeventyPercentLess() throws IOException {
    String option = razor(20, 3, 0.15, ";compression=6") + "+f16";
    try (PolicyRun run = new PolicyRun(option, 20, 20, DIM);
        PolicyRun full = new PolicyRun("f16", 20, 20, DIM)) {
      LayerState state = run.newState();
      run.store(TOKENS);
      PagePool pool = run.ragged().room().pool();
      long dense = full.promisedBytes(TOKENS);
      assertEquals(20L * TOKENS * DIM * 2 * 2, dense);
      long promised = run.promisedBytes(TOKENS);
      long pages = pool.held() * run.ragged().room().layout().bytes();
      assertEquals(promised, pages, 0.02 * promised);
      assertTrue(state.bytes() <= 0.3 * dense, state.bytes() + " of " + dense);
      // and the machine has it back, but for slabs that are partly in use
      assertTrue(pool.bytes() <= 0.31 * dense, pool.bytes() + " of " + dense);
    }
  }

  private static float[] direction(long seed, double length) {
    SplittableRandom random = new SplittableRandom(seed);
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

  private static float[][] directions(long seed, double length) {
    float[][] all = new float[VOCABULARY + NEEDLES][];
    Arrays.setAll(all, token -> direction(seed + token, length));
    return all;
  }

  /**
   * An induction head as attention: a token's key is the direction of the token before it, its
   * value its own, its query its own, so that the output is what followed the token last time. Each
   * needle, a token that stands once in 32k, is asked for again at the end.
   */
  private static final class Induction implements PolicyRun.Data {
    private final float[][] names = directions(1, 13);
    private final float[][] contents = directions(100_000, 1);
    private final int[] text = new int[TOKENS + NEEDLES];
    private final int[] answers = new int[NEEDLES];

    Induction() {
      SplittableRandom random = new SplittableRandom(7);
      Arrays.setAll(text, i -> random.nextInt(VOCABULARY));
      for (int needle = 0; needle < NEEDLES; needle++) {
        int at = 10 + needle * (TOKENS / NEEDLES) + random.nextInt(TOKENS / NEEDLES - 20);
        text[at] = VOCABULARY + needle;
        answers[needle] = text[at + 1];
        text[TOKENS + needle] = VOCABULARY + needle;
      }
    }

    @Override
    public void token(int position, float[] q, float[] k, float[] v) {
      Arrays.fill(q, 0);
      Arrays.fill(k, 0);
      Arrays.fill(v, 0);
      System.arraycopy(names[text[position]], 0, q, 0, DIM);
      System.arraycopy(names[position == 0 ? 0 : text[position - 1]], 0, k, 0, DIM);
      System.arraycopy(contents[text[position]], 0, v, 0, DIM);
    }

    int nearest(float[] output) {
      int best = -1;
      double most = Double.NEGATIVE_INFINITY;
      for (int token = 0; token < VOCABULARY; token++) {
        double dot = 0;
        for (int d = 0; d < DIM; d++) {
          dot += output[d] * contents[token][d];
        }
        if (dot > most) {
          most = dot;
          best = token;
        }
      }
      return best;
    }
  }

  private static int recalled(String option, int heads) {
    Induction induction = new Induction();
    try (PolicyRun run = new PolicyRun(option, heads, heads, DIM, induction, 1, null)) {
      LayerState state = run.newState();
      run.store(TOKENS);
      int found = 0;
      for (int needle = 0; needle < NEEDLES; needle++) {
        int at = TOKENS + needle;
        float[] output = run.step(state, at, at + 1, false)[0];
        if (induction.nearest(output) == induction.answers[needle]) {
          found++;
        }
      }
      System.out.printf(
          Locale.ROOT,
          "%s: %d of %d needles in %d tokens, %.1f MiB%n",
          option.replaceAll("file=[^;]*/", "file="),
          found,
          NEEDLES,
          TOKENS,
          state.bytes() / 1048576.0);
      return found;
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"f16", "q8", "q4", "kivi", "saq"})
  void codecsRecallAllNeedles(String codec) {
    assertEquals(NEEDLES, recalled(codec, 2));
  }

  @Test
  void anInductionHeadRecallsAllNeedlesUnderRazorAndNotWithoutIt() throws IOException {
    assertEquals(NEEDLES, recalled("full+f32", 6));
    assertEquals(NEEDLES, recalled(razor(6, 1, 0.17, ";compression=6"), 6));
    assertEquals(NEEDLES, recalled(razor(6, 1, 0.17, ";compression=6") + "+q4", 6));
    assertTrue(recalled(razor(6, 0, 0, ";compression=6"), 6) <= NEEDLES / 4);
    assertTrue(recalled("sink-window:keep=0.29", 6) <= NEEDLES / 3);
  }
}
