package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.attention4j.engine.attention.Mask;
import io.attention4j.sparse.OperatorRun.Data;
import io.attention4j.sparse.OperatorRun.Visible;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Encoder use, where the original has it: the whole sequence in one step, no causal mask. */
class BidirectionalTest {
  private static final int TOKENS = 299;
  private static final float TOLERANCE = 4e-6f;

  static List<Arguments> patterns() {
    List<Arguments> all = new ArrayList<>();
    for (String kernels : List.of("reference", "cpu.scalar", "cpu.simd")) {
      // Full at a width of twice the length; values at a width of 0 (the review's exact tests).
      all.add(pattern(kernels, "longformer:tokens=598;globals=0", (row, key) -> true));
      all.add(pattern(kernels, "longformer:tokens=0;globals=0", (row, key) -> row == key));
      all.add(
          pattern(
              kernels,
              "longformer:tokens=20;globals=3",
              (row, key) -> Math.abs(row - key) <= 10 || key < 3 || row < 3));
      all.add(pattern(kernels, "prflash:block=8;budget=75", (row, key) -> true));
      all.add(
          pattern(
              kernels,
              "prflash:block=8;budget=3;schedule=nearest",
              (row, key) -> Math.abs(row / 8 - key / 8) <= 1 || key < 8));
      all.add(pattern(kernels, "hyper:min=300", (row, key) -> true));
      all.add(pattern(kernels, "hyper:min=1;block=299", (row, key) -> true));
      all.add(pattern(kernels, "hyper:min=1;block=16;samples=299", (row, key) -> true));
      all.add(pattern(kernels, "lsg:block=299;sparse=0;globals=0;factor=1", (row, key) -> true));
      all.add(pattern(kernels, "lsg:block=8;sparse=299;factor=1;type=pool", (row, key) -> true));
      all.add(
          pattern(
              kernels,
              "lsg:block=8;type=none;globals=3",
              (row, key) -> Math.abs(row / 8 - key / 8) <= 1 || Math.min(row, key) < 3));
      all.add(pattern(kernels, "combiner:segment=299", (row, key) -> true));
      all.add(pattern(kernels, "combiner:segment=1", (row, key) -> true));
      all.add(pattern(kernels, "combiner:type=axial;segment=299", (row, key) -> true));
      all.add(pattern(kernels, "combiner:type=rowmajor;segment=299", (row, key) -> true));
      all.add(pattern(kernels, "bigbird:block=299;window=1;global=0;random=0", (row, key) -> true));
      all.add(pattern(kernels, "bigbird:block=8;window=1;global=0;random=37", (row, key) -> true));
      all.add(
          pattern(
              kernels,
              "bigbird:block=8;window=3;global=1;random=0",
              (row, key) ->
                  Math.abs(row / 8 - key / 8) <= 1
                      || Math.min(row, key) < 8
                      || Math.max(row, key) >= 296));
    }
    return all;
  }

  private static Arguments pattern(String kernels, String option, Visible visible) {
    return Arguments.of(kernels, option, visible);
  }

  @ParameterizedTest
  @MethodSource("patterns")
  void aPatternIsItsPicture(String kernels, String option, Visible visible) {
    Data data = Data.random(TOKENS, 2);
    try (OperatorRun run = new OperatorRun(kernels, option, new Mask.All(), "contiguous+f32")) {
      assertArrayEquals(OperatorRun.expected(data, visible), run.outputs(data, TOKENS), TOLERANCE);
    }
  }
}
