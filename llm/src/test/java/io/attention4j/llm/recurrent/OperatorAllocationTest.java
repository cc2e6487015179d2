package io.attention4j.llm.recurrent;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.attention4j.engine.operator.LayerState;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A decoding step of a layer on F32 kernels allocates nothing once it is compiled. */
class OperatorAllocationTest {
  private static final int STEPS = 20;
  private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(15);

  @ParameterizedTest
  @ValueSource(
      strings = {
        "aaren:seed=1",
        "non-approximate",
        "lama:seed=1",
        "s6:seed=1",
        "qlstm:seed=1",
        "mlp:seed=1",
        "metamixer:seed=1"
      })
  void aTokenAllocatesNothing(String option) {
    for (String kernels : new String[] {"cpu.scalar", "cpu.simd"}) {
      try (LayerRun run = new LayerRun(kernels, option, 1);
          LayerState state = run.newState()) {
        // Vectors are boxed until C2 has compiled their loops, which a busy machine delays.
        long best = run.allocatedBytes(state, STEPS, PATIENCE_NANOS);
        assertEquals(0, best, "bytes allocated by " + STEPS + " tokens on " + kernels);
      }
    }
  }
}
