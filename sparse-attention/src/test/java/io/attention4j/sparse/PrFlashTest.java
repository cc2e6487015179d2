package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.sparse.OperatorRun.Data;
import java.util.Arrays;
import java.util.BitSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What {@link SparseOperatorsTest} does not say of PrFlash. */
class PrFlashTest {
  private static final int BLOCKS = 200;

  private static PrFlash selector(String option, Mask mask) {
    return new PrFlash(PrFlash.Options.of(OptionSpec.parse(option)), OperatorRun.shape(mask));
  }

  private static BitSet chosen(PrFlash selector, int head, int block) {
    QueryBlock query = new QueryBlock(4, 2, 8, 1, 1);
    query.sequence(null, null, BLOCKS);
    query.rows(head, 0, 0, 1, block);
    BitSet chosen = new BitSet();
    selector.select(query, chosen);
    return chosen;
  }

  @ParameterizedTest
  @CsvSource({"0, 0, 1", "9, 0, 3.5", "199, 0, 16", "30, 169, 16", "199, 0, 1.2", "40, 40, 80.9"})
  void theExpectedBlocksAreTheBudget(int before, int after, double budget) {
    double c = selector("prflash", new Mask.Causal()).factor(before, after, budget);
    double sum = 1;
    for (int delta = 1; delta <= before; delta++) {
      sum += Math.min(1, c / (delta + 1));
    }
    for (int delta = 1; delta <= after; delta++) {
      sum += Math.min(1, c / (delta + 1));
    }
    assertEquals(budget, sum, 1e-9);
  }

  @Test
  void drawsMeetTheBudgetAndFallWithDistance() {
    int seeds = 300;
    double kept = 0;
    int near = 0;
    int far = 0;
    for (int seed = 0; seed < seeds; seed++) {
      BitSet chosen =
          chosen(
              selector("prflash:block=1;budget=20;sink=false;seed=" + seed, new Mask.Causal()),
              seed % 4,
              BLOCKS - 1);
      assertTrue(chosen.get(BLOCKS - 1));
      assertEquals(BLOCKS, chosen.length());
      kept += (double) chosen.cardinality() / seeds;
      near += chosen.get(150, 180).cardinality();
      far += chosen.get(0, 30).cardinality();
    }
    // A row's count has a variance below 20; the mean of 300 is within 1 by four deviations.
    assertEquals(20, kept, 1);
    assertTrue(near > 3 * far, near + " near and " + far + " far");
  }

  @Test
  void headsLayersAndSeedsDrawForThemselves() {
    PrFlash a = selector("prflash:block=1;budget=20", new Mask.Causal());
    PrFlash b = selector("prflash:block=1;budget=20;seed=1", new Mask.Causal());
    assertEquals(chosen(a, 0, 150), chosen(a, 0, 150));
    assertTrue(!chosen(a, 0, 150).equals(chosen(a, 1, 150)));
    assertTrue(!chosen(a, 0, 150).equals(chosen(b, 0, 150)));
  }

  @Test
  void theNearestBlocksAreAWindow() {
    String option = "prflash:block=1;budget=5;schedule=nearest;sink=false";
    BitSet window = new BitSet();
    window.set(96, 101);
    assertEquals(window, chosen(selector(option, new Mask.Causal()), 0, 100));
    BitSet centred = new BitSet();
    centred.set(98, 103);
    assertEquals(centred, chosen(selector(option, new Mask.All()), 0, 100));
  }

  /**
   * All scores are 0 and a row's value is 1 or 0 by its block's parity, so numerator and
   * denominator are counts: each has the dense count as its mean.
   */
  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.simd"})
  void weightsOfDrawnBlocksHaveTheDenseMean(String kernels) {
    int tokens = 256;
    Data random = Data.random(tokens, 3);
    float[] v = new float[random.v().length];
    Arrays.fill(v, 0, v.length / 2, 1);
    Data data = new Data(random.q(), new float[random.k().length], v);
    int seeds = 150;
    double mean = 0;
    for (int seed = 0; seed < seeds; seed++) {
      String option = "prflash:block=8;budget=12;unbiased=true;seed=" + seed;
      try (OperatorRun run = new OperatorRun(kernels, option)) {
        float[] out = run.outputs(data, tokens);
        for (int h = 0; h < OperatorRun.QUERY_HEADS; h++) {
          int at = ((tokens - 1) * OperatorRun.QUERY_HEADS + h) * OperatorRun.HEAD_DIM;
          mean += out[at] / seeds / OperatorRun.QUERY_HEADS;
        }
      }
    }
    // The ratio's own bias is below its variance; without weights the mean is near 0.2.
    assertEquals(0.5, mean, 0.04);
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.scalar", "cpu.simd"})
  void harmonicSlopesAreAddedToScores(String kernels) {
    int tokens = 70;
    Data random = Data.random(tokens, 4);
    // Without scores from q and k (a rotation of nothing), only the slopes are left.
    Data data = new Data(random.q(), new float[random.k().length], random.v());
    try (OperatorRun run =
        new OperatorRun(kernels, "prflash:budget=1073741824;alpha=0.5;block=16")) {
      float[] out = run.outputs(data, tokens);
      for (int h = 0; h < OperatorRun.QUERY_HEADS; h++) {
        double slope = 0.5 / (h + 2);
        double sum = 0;
        double weighted = 0;
        for (int key = 0; key < tokens; key++) {
          double weight = Math.exp(-slope * (tokens - 1 - key));
          sum += weight;
          weighted +=
              weight * data.v()[(key * OperatorRun.KV_HEADS + h / 2) * OperatorRun.HEAD_DIM];
        }
        int at = ((tokens - 1) * OperatorRun.QUERY_HEADS + h) * OperatorRun.HEAD_DIM;
        assertEquals(weighted / sum, out[at], 4e-6);
      }
    }
  }

  @Test
  void alphaZeroIsTheRotationAlone() {
    Data data = Data.random(100, 5);
    try (OperatorRun run = new OperatorRun("reference", "prflash:budget=1073741824;alpha=0");
        OperatorRun softmax = new OperatorRun("reference", "softmax")) {
      assertArrayEquals(softmax.outputs(data, 100), run.outputs(data, 100), 4e-6f);
    }
  }

  @Test
  void badSlopesAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> HarmonicAlibi.of(-1, 4));
    assertThrows(IllegalArgumentException.class, () -> HarmonicAlibi.of(Double.NaN, 4));
  }
}
