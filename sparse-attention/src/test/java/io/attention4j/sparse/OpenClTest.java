package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.spi.Availability;
import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.sparse.OperatorRun.Data;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * On an OpenCL device: patterns and choices of blocks run, also over pages in a file; what computes
 * with keys itself says why it does not.
 */
class OpenClTest {
  private static final int TOKENS = 140;

  private static final String NOSA =
      "nosa:gate=gates;block=8;kernel=4;stride=2;init=1;local=1;query=3;k=8";

  @TempDir Path folder;

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

  /** Queries and new keys come to the host, where blocks are chosen. */
  @ParameterizedTest
  @ValueSource(strings = {"block-topk:block=8;k=3", "quest:page=8;tokens=32;dense=0", NOSA})
  void aChoiceByKeysGivesWhatTheReferenceGives(String option) {
    Data data = Data.random(TOKENS, 1);
    try (OperatorRun run = new OperatorRun("opencl", option);
        OperatorRun reference = new OperatorRun("reference", option)) {
      for (int[] steps : new int[][] {{TOKENS}, {130, 1}}) {
        assertArrayEquals(reference.outputs(data, steps), run.outputs(data, steps), TOLERANCE);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"hyper:min=8;block=8", "landmark:block=8;k=2", "lsg:block=8;sparse=2"})
  void whatWorksOnKeysItselfSaysThatItNeedsThemOnTheHost(String option) {
    try (OperatorRun run = new OperatorRun("opencl", option)) {
      Exception e =
          assertThrows(
              IllegalStateException.class, () -> run.outputs(Data.random(TOKENS, 1), TOKENS));
      assertTrue(e.getMessage().contains("use kernels of the CPU"), e.getMessage());
    }
  }

  private OperatorRun run(String kernels, String attention, String cache) {
    return new OperatorRun(
        kernels,
        attention,
        new Mask.Causal(),
        cache.replace("DIR", folder.toString()),
        null,
        TestWeights.gates());
  }

  /** Pages in memory, and pages in a file whose slots are device memory. */
  @ParameterizedTest
  @CsvSource({
    NOSA + ",8,f32",
    NOSA + ",16,q8",
    "quest:page=8;tokens=32;dense=0,8,f16",
    "block-topk:block=8;k=3,8,f16",
    "window:tokens=20,8,q4",
    "softmax,16,f16",
  })
  void offloadedIsInMemory(String attention, int page, String codec) {
    Data data = Data.random(TOKENS, 91);
    String cache = codec + "+paged:page=" + page;
    try (OperatorRun memory = run("opencl", attention, cache);
        OperatorRun offloaded = run("opencl", attention, cache + "+offload:dir=DIR;slots=3")) {
      for (int[] steps : new int[][] {{TOKENS}, {100, 1}, {37, 50, 1, 20}}) {
        float[] expected = memory.outputs(data, steps);
        assertArrayEquals(expected, offloaded.outputs(data, steps));
      }
      assertTrue(offloaded.caches.usage().fetchedBytes() > 0, "nothing was fetched");
    }
  }

  /** Sequences of a batch, forks that share pages, ways back and restored states. */
  @ParameterizedTest
  @ValueSource(strings = {NOSA, "softmax"})
  void statesLiveOnDevicePages(String attention) throws IOException {
    List<List<float[]>> lives = new ArrayList<>();
    for (String kernels : List.of("reference", "opencl")) {
      try (OperatorRun memory = run(kernels, attention, "f32+paged:page=8")) {
        lives.add(OffloadTest.lives(memory));
      }
    }
    try (OperatorRun offloaded =
        run("opencl", attention, "f32+paged:page=8+offload:dir=DIR;slots=2")) {
      lives.add(OffloadTest.lives(offloaded));
    }
    for (int i = 0; i < lives.getFirst().size(); i++) {
      assertArrayEquals(lives.get(0).get(i), lives.get(1).get(i), TOLERANCE, "step " + i);
      assertArrayEquals(lives.get(1).get(i), lives.get(2).get(i), "offloaded, step " + i);
    }
  }
}
