package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.BlockMaxima;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.AttentionChecks;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kvcache.KvCaches;
import io.attention4j.sparse.OperatorRun.Data;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The largest weights by block are those of dense attention written out. */
class BlockAttentionTest {
  private static final int HEADS = OperatorRun.QUERY_HEADS;
  private static final int DIM = OperatorRun.HEAD_DIM;

  /** Over two key tiles of the kernels, more rows than are computed at a time. */
  private static final int TOKENS = 1203;

  /** Weights are quotients of exponentials of f32 scores below 30, with errors of some 2e-6. */
  private static final double TOLERANCE = 1e-5;

  static List<Arguments> cases() {
    List<Arguments> all = new ArrayList<>();
    for (String kernels : List.of("reference", "cpu.scalar", "cpu.simd")) {
      all.add(Arguments.of(kernels, new Mask.Causal(), 64, 64));
      all.add(Arguments.of(kernels, new Mask.Window(200, 0), 16, 100));
      all.add(Arguments.of(kernels, new Mask.All(), 1, 300));
    }
    return all;
  }

  @ParameterizedTest
  @MethodSource("cases")
  void largestWeightsAreThoseOfDenseAttention(
      String kernelId, Mask mask, int queryBlock, int keyBlock) {
    int tokens = kernelId.equals("cpu.simd") ? TOKENS : 300;
    Data data = Data.random(tokens, 3);
    LayerShape shape = OperatorRun.shape(mask);
    try (KernelSelector kernels = KernelSelector.open(kernelId, new DeviceOptions(2));
        Device.TensorArena arena = kernels.device().newArena()) {
      KvCache.Factory caches = new KvCaches().create("paged:page=16+f32", kernels);
      try (KvCache cache = caches.create(shape);
          BlockAttention attention = new BlockAttention(shape, caches, kernels)) {
        cache.append(
            tensor(arena, data.k(), OperatorRun.KV_HEADS),
            tensor(arena, data.v(), OperatorRun.KV_HEADS),
            0,
            tokens);
        PagedKv pages = new PagedKv(OperatorRun.KV_HEADS);
        pages.reset(1);
        cache.fill(pages, 0);
        Tensor out = arena.allocate(DType.F32, tokens, HEADS, DIM);
        float[][] map = new float[Math.ceilDiv(tokens, queryBlock) * HEADS][];
        attention.run(
            tensor(arena, data.q(), HEADS),
            tokens,
            0,
            pages,
            0,
            out,
            queryBlock,
            keyBlock,
            (block, head, largest) -> map[block * HEADS + head] = largest.clone());
        assertArrayEquals(OperatorRun.expected(data, sees(mask)), out.toFloats(), 4e-6f);
        double[][] expected = largest(data, mask, queryBlock, keyBlock);
        for (int i = 0; i < expected.length; i++) {
          assertEquals(expected[i].length, map[i].length);
          for (int b = 0; b < expected[i].length; b++) {
            assertEquals(expected[i][b], map[i][b], TOLERANCE, "entry " + i + ", block " + b);
          }
        }
      }
    }
  }

  private static Tensor tensor(Device.TensorArena arena, float[] values, int heads) {
    Tensor tensor = arena.allocate(DType.F32, values.length / heads / DIM, heads, DIM);
    MemorySegment.copy(values, 0, tensor.segment(), Tensor.FLOAT, 0, values.length);
    return tensor;
  }

  private static OperatorRun.Visible sees(Mask mask) {
    return switch (mask) {
      case Mask.Causal causal -> (row, key) -> key <= row;
      case Mask.Window window -> (row, key) -> key <= row && key >= row - window.left();
      default -> (row, key) -> true;
    };
  }

  /** Largest weights [queryBlock * HEADS + head][keyBlock] in float64. */
  private static double[][] largest(Data data, Mask mask, int queryBlock, int keyBlock) {
    int tokens = data.tokens();
    double[][] largest =
        new double[Math.ceilDiv(tokens, queryBlock) * HEADS][Math.ceilDiv(tokens, keyBlock)];
    for (int row = 0; row < tokens; row++) {
      for (int h = 0; h < HEADS; h++) {
        double[] weights = weights(data, mask, row, h);
        double[] ofBlock = largest[row / queryBlock * HEADS + h];
        for (int key = 0; key < tokens; key++) {
          ofBlock[key / keyBlock] = Math.max(ofBlock[key / keyBlock], weights[key]);
        }
      }
    }
    return largest;
  }

  private static double[] weights(Data data, Mask mask, int row, int head) {
    OperatorRun.Visible sees = sees(mask);
    double[] weights = new double[data.tokens()];
    double sum = 0;
    for (int key = 0; key < weights.length; key++) {
      if (sees.test(row, key)) {
        double dot = 0;
        int at = (key * OperatorRun.KV_HEADS + head / 2) * DIM;
        for (int d = 0; d < DIM; d++) {
          dot += data.q()[(row * HEADS + head) * DIM + d] * (double) data.k()[at + d];
        }
        weights[key] = Math.exp(dot * (float) (1 / Math.sqrt(DIM)));
        sum += weights[key];
      }
    }
    for (int key = 0; key < weights.length; key++) {
      weights[key] /= sum;
    }
    return weights;
  }

  static List<String> kernels() {
    return List.of("reference", "cpu.scalar", "cpu.simd");
  }

  /** A perfect gate chooses the blocks with the largest weights. */
  @ParameterizedTest
  @MethodSource("kernels")
  void anOracleReadsTheBlocksWithTheLargestWeights(String kernelId) {
    int block = 16;
    Data data = Data.random(150, 5);
    double[][] largest = largest(data, new Mask.Causal(), block, block);
    BitSet[] chosen = new BitSet[largest.length];
    for (int i = 0; i < chosen.length; i++) {
      int own = i / HEADS;
      chosen[i] = new BitSet();
      chosen[i].set(own);
      double[] ofRow = largest[i];
      Integer[] order = new Integer[own + 1];
      Arrays.setAll(order, b -> b);
      Arrays.sort(order, (a, b) -> Double.compare(ofRow[b], ofRow[a]));
      for (int n = 0; n < Math.min(3, order.length); n++) {
        chosen[i].set(order[n]);
      }
    }
    try (OperatorRun run = new OperatorRun(kernelId, "seer:gate=oracle;block=16;k=3;last=0")) {
      assertArrayEquals(
          OperatorRun.expectedOfHeads(
              data,
              (head, row, key) ->
                  key <= row && chosen[row / block * HEADS + head].get(key / block)),
          run.outputs(data, 150),
          4e-6f);
    }
  }

  @Test
  void kernelsWithoutThemSaySo() {
    AttentionSpec spec = AttentionSpec.builder(1, 1, 2).build();
    try (Arena arena = Arena.ofConfined()) {
      Tensor row = Tensor.ofFloats(arena, new float[2], 1, 1, 2);
      BlockMaxima maxima = new BlockMaxima(Tensor.ofFloats(arena, new float[1], 1, 1, 1), 8);
      PagedKv pages = new PagedKv(1);
      pages.reset(1);
      AttentionBatch batch = new AttentionBatch();
      batch.add(1, 0);
      AttentionInputs inputs = new AttentionInputs(row, pages, Selection.NONE);
      Exception e =
          assertThrows(
              IllegalArgumentException.class,
              () ->
                  new AttentionChecks(spec)
                      .require(batch, inputs, new AttentionOutputs(row, null, maxima)));
      assertTrue(e.getMessage().contains("largest scores by block come from"), e.getMessage());
    }
  }
}
