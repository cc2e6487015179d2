package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.Mask;
import io.attention4j.sparse.OperatorRun.Data;
import java.util.Arrays;
import java.util.BitSet;
import java.util.function.IntToDoubleFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What {@link SparseOperatorsTest} does not say of HyperAttention. */
class HyperAttentionTest {
  @Test
  void neighbouringBucketsDifferInOneSign() {
    int[] bucketOfCode = AngularLsh.bucketsOfCodes(7);
    int[] codeOfBucket = new int[128];
    BitSet seen = new BitSet();
    for (int code = 0; code < 128; code++) {
      codeOfBucket[bucketOfCode[code]] = code;
      seen.set(bucketOfCode[code]);
    }
    assertEquals(128, seen.cardinality());
    for (int bucket = 1; bucket < 128; bucket++) {
      assertEquals(1, Integer.bitCount(codeOfBucket[bucket - 1] ^ codeOfBucket[bucket]));
    }
    assertArrayEquals(new int[] {0, 1, 3, 2}, AngularLsh.bucketsOfCodes(2));
  }

  @Test
  void sortingIsStable() {
    AngularLsh lsh = new AngularLsh(4, 2, 1);
    short[] buckets = {3, 0, 2, 0, 3, 1, 0};
    assertArrayEquals(new int[] {1, 3, 5, 2, 4}, lsh.sorted(buckets, 1, 6));
  }

  @Test
  void aVectorAndItsMultipleShareABucket() {
    AngularLsh lsh = new AngularLsh(3, 7, 1);
    float[] vectors = {1, -2, 0.5f, 3, -6, 1.5f};
    assertEquals(lsh.bucket(vectors, 0), lsh.bucket(vectors, 3));
  }

  /**
   * All scores are 0 and only the square's values are 1, so a row's output is the square's share of
   * the mass: 128 keys of it, estimated as 16 in the own block and 4 for each sample elsewhere.
   */
  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.simd"})
  void samplesStandForTheKeysThatAreNotRead(String kernels) {
    String option = "hyper:block=16;samples=32;min=128";
    // A sum of 60 x 32 draws of which 7/8 count: 1 % is over four standard deviations.
    requireMeanShare(kernels, option, i -> 1, 60, 0.01);
    requireMeanShare(kernels, "hyper:block=0;samples=32;min=128", i -> 1, 60, 0.01);
  }

  /**
   * The same with values 1 and 1.25 in turns: drawn as often as their squares and not weighted,
   * they would give 0.027 more in row 128.
   */
  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.simd"})
  void samplesByValuesCountForTheirProbability(String kernels) {
    String option = "hyper:block=16;samples=32;min=128;sampling=values";
    requireMeanShare(kernels, option, i -> i % 2 == 0 ? 1 : 1.25, 120, 0.01);
  }

  private static void requireMeanShare(
      String kernels, String option, IntToDoubleFunction valueOfKey, int seeds, double tolerance) {
    int tokens = 256;
    Data random = Data.random(tokens, 31);
    float[] v = new float[random.v().length];
    double sum = 0;
    for (int key = 0; key < tokens / 2; key++) {
      sum += valueOfKey.applyAsDouble(key);
      int width = OperatorRun.KV_HEADS * OperatorRun.HEAD_DIM;
      Arrays.fill(v, key * width, (key + 1) * width, (float) valueOfKey.applyAsDouble(key));
    }
    Data data = new Data(random.q(), new float[random.k().length], v);
    double[] mean = new double[random.q().length];
    for (int seed = 0; seed < seeds; seed++) {
      try (OperatorRun run = new OperatorRun(kernels, option + ";seed=" + seed)) {
        float[] out = run.outputs(data, tokens);
        for (int i = 0; i < out.length; i++) {
          mean[i] += out[i] / seeds;
        }
      }
    }
    int width = OperatorRun.QUERY_HEADS * OperatorRun.HEAD_DIM;
    for (int row = 128; row < tokens; row++) {
      assertEquals(sum / (row + 1), mean[row * width], tolerance, option + " row " + row);
    }
  }

  @Test
  void aLayerWithAWindowIsRefused() {
    Exception e =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                new OperatorRun("reference", "hyper", new Mask.Window(9, 0), "paged+f32").close());
    assertTrue(e.getMessage().contains("use softmax there"), e.getMessage());
  }
}
