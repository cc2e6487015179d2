package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.attention4j.sparse.OperatorRun.Data;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The choice of blocks against one made plainly, in float64 from the whole data. */
class BlockTopKTest {
  private static final int TOKENS = 150;
  private static final int BLOCK = 8;
  private static final int K = 3;
  private static final float TOLERANCE = 4e-6f;

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.simd"})
  void theBestBlocksOfAQueryBlockAreRead(String kernels) {
    Data data = Data.random(TOKENS, 21);
    Choice choice = new Choice(data, BLOCK);
    try (OperatorRun run = new OperatorRun(kernels, "block-topk:block=8;k=3")) {
      assertArrayEquals(
          OperatorRun.expected(data, choice::sees), run.outputs(data, TOKENS), TOLERANCE);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.simd"})
  void strictRowsChooseAlone(String kernels) {
    Data data = Data.random(TOKENS, 22);
    Choice choice = new Choice(data, 1);
    try (OperatorRun run = new OperatorRun(kernels, "block-topk:block=8;k=3;strict=true")) {
      assertArrayEquals(
          OperatorRun.expected(data, choice::sees), run.outputs(data, TOKENS), TOLERANCE);
    }
  }

  /** A decode step chooses by its own query, strict or not. */
  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.simd"})
  void decodeIsStrict(String kernels) {
    Data data = Data.random(TOKENS, 23);
    try (OperatorRun run = new OperatorRun(kernels, "block-topk:block=8;k=3");
        OperatorRun strict = new OperatorRun(kernels, "block-topk:block=8;k=3;strict=true")) {
      assertArrayEquals(strict.outputs(data, TOKENS), run.outputs(data, 1), TOLERANCE);
    }
  }

  private record Choice(Data data, int queryBlock) {
    boolean sees(int kvHead, int row, int key) {
      int diagonal = row / BLOCK;
      int block = key / BLOCK;
      return key <= row
          && (block == 0 || block == diagonal || best(kvHead, row, diagonal).contains(block));
    }

    private Set<Integer> best(int kvHead, int row, int diagonal) {
      double[] query = meanQuery(kvHead, row / queryBlock * queryBlock);
      return IntStream.range(1, Math.max(1, diagonal))
          .boxed()
          .sorted(Comparator.comparingDouble(block -> -score(kvHead, block, query)))
          .limit(K)
          .collect(Collectors.toSet());
    }

    private double[] meanQuery(int kvHead, int from) {
      double[] sum = new double[OperatorRun.HEAD_DIM];
      int group = OperatorRun.QUERY_HEADS / OperatorRun.KV_HEADS;
      int end = Math.min(TOKENS, from + queryBlock);
      for (int row = from; row < end; row++) {
        for (int h = kvHead * group; h < (kvHead + 1) * group; h++) {
          for (int d = 0; d < sum.length; d++) {
            sum[d] += data.q()[(row * OperatorRun.QUERY_HEADS + h) * sum.length + d];
          }
        }
      }
      return Arrays.stream(sum).map(x -> x / ((end - from) * group)).toArray();
    }

    private double score(int kvHead, int block, double[] query) {
      double score = 0;
      for (int key = block * BLOCK; key < (block + 1) * BLOCK; key++) {
        for (int d = 0; d < query.length; d++) {
          score +=
              query[d] * data.k()[(key * OperatorRun.KV_HEADS + kvHead) * query.length + d] / BLOCK;
        }
      }
      return score;
    }
  }
}
