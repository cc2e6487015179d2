package io.attention4j.benchmarks.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.benchmarks.peer.NaiveAttention;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.DeviceOptions;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AttentionProblemTest {
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void inputsByHeadGiveTheOutputByHead(boolean causal) {
    int heads = 3;
    int length = 21;
    int dim = 8;
    try (KernelSelector kernels = KernelSelector.open("auto", new DeviceOptions(2));
        AttentionProblem problem =
            new AttentionProblem(kernels, AttentionCase.prefill(heads, dim, length, causal))) {
      problem.run();
      double[] expected =
          NaiveAttention.compute(
              heads,
              length,
              dim,
              causal,
              problem.queriesByHead(),
              problem.keysByHead(),
              problem.valuesByHead());
      float[] output = problem.outputByHead();
      assertEquals(expected.length, output.length);
      for (int i = 0; i < output.length; i++) {
        // f32 accumulation over 21 keys of unit variance.
        assertEquals(expected[i], output[i], 1e-5, "element " + i);
      }
    }
  }

  @Test
  void everyKindOfCaseRuns() {
    List<AttentionCase> cases =
        List.of(
            AttentionCase.prefill(2, 16, 256, false).sigmoid(),
            AttentionCase.prefill(2, 16, 512, false).sparse(0.5),
            AttentionCase.prefill(2, 16, 64, true).format(KvFormat.Q8),
            AttentionCase.decode(4, 1, 16, KvFormat.F16, List.of(1000, 7, 7)));
    try (KernelSelector kernels = KernelSelector.open("auto", new DeviceOptions(2))) {
      for (AttentionCase kind : cases) {
        try (AttentionProblem problem = new AttentionProblem(kernels, kind)) {
          problem.run();
          double squares = 0;
          for (float value : problem.outputByHead()) {
            assertTrue(Float.isFinite(value), kind + " gave " + value);
            squares += value * value;
          }
          assertTrue(squares > 0, kind + " gave zeros");
        }
      }
    }
  }

  @Test
  void operationsAndBytesAreThoseOfTheFormula() {
    assertEquals(4.0 * 8 * 64 * 512 * 512, AttentionCase.prefill(8, 64, 512, false).flops());
    assertEquals(2.0 * 8 * 64 * 512 * 512, AttentionCase.prefill(8, 64, 512, true).flops());
    AttentionCase decode = AttentionCase.decode(32, 8, 64, KvFormat.F16, List.of(65536, 512, 512));
    assertEquals(4.0 * 32 * 64 * (65536 + 1024), decode.flops());
    assertEquals(2.0 * 8 * 64 * 2 * (65536 + 1024), decode.bytes());
    assertEquals("65536 + 2 x 512", decode.keysText());
  }

  @Test
  void sparsityIsRoundedToBlocks() {
    AttentionCase dense = AttentionCase.prefill(2, 64, 1024, false);
    assertEquals(0.875, dense.sparse(0.9).sparsity());
    assertEquals(dense.flops() / 8, dense.sparse(0.9).flops());
    assertEquals(0.875, dense.sparse(0.999).sparsity(), "one block is always kept");
    assertThrows(
        IllegalArgumentException.class,
        () -> AttentionCase.prefill(2, 64, 1000, false).sparse(0.5));
    assertThrows(
        IllegalArgumentException.class, () -> AttentionCase.prefill(2, 64, 1024, true).sparse(0.5));
  }
}
