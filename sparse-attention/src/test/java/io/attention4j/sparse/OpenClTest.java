package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.attention4j.engine.spi.Availability;
import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.sparse.OperatorRun.Data;
import java.util.ServiceLoader;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** On an OpenCL device: patterns, which read no key, run; the others say why they do not. */
class OpenClTest {
  private static final int TOKENS = 140;

  /** Both sum in f32, in orders of their own. */
  private static final float TOLERANCE = 1e-5f;

  @BeforeEach
  void requireDevice() {
    boolean available =
        ServiceLoader.load(KernelProvider.class).stream()
            .map(ServiceLoader.Provider::get)
            .anyMatch(
                provider ->
                    provider.id().equals("opencl")
                        && provider.availability() instanceof Availability.Available);
    if (!available) {
      System.err.println("OpenClTest is skipped: this machine has no OpenCL device");
    }
    assumeTrue(available, "no OpenCL device");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "window:tokens=20",
        "sink-window:sinks=4;tokens=20",
        "longformer:tokens=20;globals=3",
        "bigbird:block=8;window=2;global=1;random=2",
        "prflash:block=8;budget=6",
        "prflash:block=8;budget=6;alpha=0.2",
        "lsg:block=8;sparse=3;factor=4;type=stride",
        "window:tokens=140",
        "bigbird:block=8;window=38",
        "prflash:block=8;budget=38"
      })
  void aPatternGivesWhatTheReferenceGives(String option) {
    Data data = Data.random(TOKENS, 1);
    try (OperatorRun run = new OperatorRun("opencl", option);
        OperatorRun reference = new OperatorRun("reference", option)) {
      float[] expected = reference.outputs(data, TOKENS);
      assertArrayEquals(expected, run.outputs(data, TOKENS), TOLERANCE);
      assertArrayEquals(expected, run.outputs(data, 130, 1), TOLERANCE);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"block-topk:block=8;k=1", "hyper:min=8;block=8", "lsg:block=8;sparse=2"})
  void whatReadsKeysSaysThatItNeedsThemOnTheHost(String option) {
    try (OperatorRun run = new OperatorRun("opencl", option)) {
      Exception e =
          assertThrows(
              IllegalStateException.class, () -> run.outputs(Data.random(TOKENS, 1), TOKENS));
      assertTrue(e.getMessage().contains("use kernels of the CPU"), e.getMessage());
    }
  }
}
