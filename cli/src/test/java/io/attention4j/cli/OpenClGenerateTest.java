package io.attention4j.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.demo.DemoModel;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Availability;
import io.attention4j.llm.GenerationRequest;
import io.attention4j.llm.GenerationResult;
import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.LoadOptions;
import io.attention4j.llm.Session;
import io.attention4j.llm.sampling.SamplingOptions;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The demo model on an OpenCL device: the CPU's tokens, and what crosses the bus for them. */
class OpenClGenerateTest {
  private static final String PROFILE = "attention4j.opencl.profile";
  private static final String MEMORY = "attention4j.opencl.memoryMiB";
  private static final int TOKENS = 12;

  @BeforeAll
  static void needsOpenCl() {
    Availability there =
        KernelSelector.providers().stream()
            .filter(known -> known.id().equals("opencl"))
            .findFirst()
            .orElseThrow()
            .availability();
    if (there instanceof Availability.Unavailable no) {
      System.out.println("SKIPPED OpenClGenerateTest: " + no.reason());
      Assumptions.abort(no.reason());
    }
  }

  private static LoadOptions options(String kernels) {
    return LoadOptions.builder().kernels(kernels).contextTokens(256).build();
  }

  private static GenerationRequest request(SamplingOptions sampling, int logProbs) {
    return request(sampling, logProbs, TOKENS);
  }

  private static GenerationRequest request(SamplingOptions sampling, int logProbs, int tokens) {
    return GenerationRequest.builder()
        .prompt("ROMEO:\n")
        .maxTokens(tokens)
        .sampling(sampling)
        .logProbs(logProbs)
        .build();
  }

  private static GenerationResult generate(String kernels, GenerationRequest request)
      throws IOException {
    try (LanguageModel model = LanguageModel.load(DemoModel.file(), options(kernels));
        Session session = model.newSession()) {
      return session.generate(request).run();
    }
  }

  private static SamplingOptions sampling(int topK) {
    return topK == 1
        ? SamplingOptions.ofGreedy()
        : SamplingOptions.builder().topK(topK).seed(5).build();
  }

  /** What the profile of a device says when it is closed. */
  private static final class Log extends Handler {
    private final List<String> lines = new ArrayList<>();

    @Override
    public synchronized void publish(LogRecord entry) {
      lines.addAll(new SimpleFormatter().formatMessage(entry).lines().toList());
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}

    synchronized long bytes(String direction) {
      Pattern pattern = Pattern.compile(direction + " +\\d+ runs +(\\d+) bytes");
      for (String line : lines) {
        Matcher matcher = pattern.matcher(line);
        if (matcher.matches()) {
          return Long.parseLong(matcher.group(1));
        }
      }
      throw new AssertionError(lines);
    }
  }

  private static Log profiled(GenerationRequest request) throws IOException {
    Logger logger = Logger.getLogger("io.attention4j.kernels.opencl.ClProfile");
    Log log = new Log();
    logger.addHandler(log);
    System.setProperty(PROFILE, "true");
    try {
      generate("opencl", request);
    } finally {
      System.clearProperty(PROFILE);
      logger.removeHandler(log);
    }
    return log;
  }

  @Test
  void greedyTokensAreTheCpus() throws IOException {
    GenerationRequest request = request(sampling(1), -1);
    GenerationResult expected = generate("auto", request);
    assertEquals(TOKENS, expected.tokens().length);
    assertArrayEquals(expected.tokens(), generate("opencl", request).tokens());
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 7, 40})
  void candidatesGiveTheTokensOfAllLogits(int topK) throws IOException {
    GenerationResult expected = generate("opencl", request(sampling(topK), 0));
    assertEquals(TOKENS, expected.tokens().length);
    GenerationResult actual = generate("opencl", request(sampling(topK), -1));
    assertArrayEquals(expected.tokens(), actual.tokens());
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 40})
  void aTokenBringsBackItsCandidatesAlone(int topK) throws IOException {
    Log log = profiled(request(sampling(topK), -1));
    assertEquals(8L * topK * TOKENS, log.bytes("from the device"));
  }

  /**
   * Its id and position are arguments of kernels. Of the table of each layer go the words that
   * changed: the row's position and what the last page holds.
   */
  @Test
  void aTokenTakesNoEmbeddingAndNoAnglesToTheDevice() throws IOException {
    int layers;
    try (LanguageModel model = LanguageModel.load(DemoModel.file(), options("cpu.simd"))) {
      layers = model.info().config().sizes().layers();
    }
    long few = profiled(request(sampling(1), -1, 8)).bytes("to the device");
    long more = profiled(request(sampling(1), -1, 40)).bytes("to the device");
    long perToken = (more - few) / 32;
    assertTrue(perToken < 320L * layers, perToken + " bytes for " + layers + " layers");
  }

  @Test
  void logitsComeWhereTheyAreAskedFor() throws IOException {
    int vocabulary;
    try (LanguageModel model = LanguageModel.load(DemoModel.file(), options("opencl"))) {
      vocabulary = model.info().config().sizes().vocabulary();
    }
    Log log = profiled(request(sampling(1), 0));
    assertEquals(4L * vocabulary * TOKENS, log.bytes("from the device"));
  }

  @Test
  void aSessionGivesItsLogitsAfterwards() throws IOException {
    try (LanguageModel model = LanguageModel.load(DemoModel.file(), options("opencl"));
        Session generated = model.newSession();
        Session appended = model.newSession()) {
      GenerationResult result = generated.generate(request(sampling(1), -1)).run();
      appended.append(generated.tokens());
      appended.append(result.tokens()[TOKENS - 1]);
      float[] expected = appended.logits();
      float[] actual = generated.logits();
      for (int i = 0; i < expected.length; i++) {
        assertTrue(Math.abs(expected[i] - actual[i]) < 1e-3, i + ": " + actual[i]);
      }
    }
  }

  private static GenerationResult split(int deviceLayers, int memoryMiB) throws IOException {
    System.setProperty(MEMORY, Integer.toString(memoryMiB));
    LoadOptions options =
        LoadOptions.builder()
            .kernels("opencl")
            .contextTokens(256)
            .maxBatchRows(64)
            .deviceLayers(deviceLayers)
            .build();
    try (LanguageModel model = LanguageModel.load(DemoModel.file(), options);
        Session session = model.newSession()) {
      lastKernels = model.info().kernels();
      return session.generate(request(sampling(1), -1)).run();
    } finally {
      System.clearProperty(MEMORY);
    }
  }

  private static String lastKernels;

  /** All layers in the device's memory, some of them, none. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 3, 6, 99})
  void layersSplitBetweenDeviceAndCpuGiveTheSameTokens(int deviceLayers) throws IOException {
    GenerationResult expected = generate("auto", request(sampling(1), -1));
    assertArrayEquals(expected.tokens(), split(deviceLayers, 256).tokens());
    boolean both = deviceLayers == 1 || deviceLayers == 3;
    assertEquals(both, lastKernels.contains("layers before"), lastKernels);
    assertEquals(deviceLayers == 0, !lastKernels.startsWith("opencl"), lastKernels);
  }

  @Test
  void theCachesOfBothDevicesAreCounted() throws IOException {
    int[] prompt = new int[250];
    Arrays.fill(prompt, 5);
    List<Long> bytes = new ArrayList<>();
    for (int deviceLayers : new int[] {LoadOptions.ALL_LAYERS, 3}) {
      LoadOptions options =
          LoadOptions.builder()
              .kernels("opencl")
              .contextTokens(256)
              .deviceLayers(deviceLayers)
              .build();
      try (LanguageModel model = LanguageModel.load(DemoModel.file(), options);
          Session session = model.newSession()) {
        session.append(prompt);
        bytes.add(model.kvUsage().memoryBytes());
      }
    }
    // Each of two devices rounds up to whole slabs.
    assertTrue(bytes.get(1) >= bytes.get(0), bytes.toString());
  }

  @Test
  void aBudgetBelowTheModelTakesTheLayersThatFit() throws IOException {
    GenerationResult expected = generate("auto", request(sampling(1), -1));
    Pattern fits = Pattern.compile("(\\d) of 6 layers fit opencl: .*", Pattern.DOTALL);
    int fewest = 6;
    int most = 0;
    for (int memoryMiB : new int[] {2, 3, 4, 5, 8}) {
      assertArrayEquals(
          expected.tokens(), split(LoadOptions.FITTING_LAYERS, memoryMiB).tokens(), lastKernels);
      System.setProperty(MEMORY, Integer.toString(memoryMiB));
      try {
        LoadOptions options =
            LoadOptions.builder().kernels("opencl").contextTokens(256).maxBatchRows(64).build();
        int fitting = LanguageModel.deviceFit(DemoModel.file(), options).orElseThrow().fitting();
        fewest = Math.min(fewest, fitting);
        most = Math.max(most, fitting);
        if (fitting > 0 && fitting < 6) {
          assertTrue(lastKernels.contains("(layers from " + (6 - fitting)), lastKernels);
        }
        if (memoryMiB <= 3) {
          IllegalStateException e =
              assertThrows(
                  IllegalStateException.class, () -> split(LoadOptions.ALL_LAYERS, memoryMiB));
          assertTrue(e.getMessage().contains("fewer layers on the device"), e.getMessage());
        }
        Run run = Run.of("inspect", "--no-tensors", "--kernels", "opencl", DemoModel.file() + "");
        assertEquals(0, run.status(), run.err());
        assertTrue(fits.matcher(run.out().lines().toList().getLast()).matches(), run.out());
      } finally {
        System.clearProperty(MEMORY);
      }
    }
    assertEquals(0, fewest);
    assertTrue(most > 0, "no budget had room for a layer");
  }

  @Test
  void theDoctorSaysHowManyLayersFit() {
    Run run = Run.of("doctor", "--probe-seconds", "0", "-m", DemoModel.file() + "");
    assertEquals(0, run.status(), run.err());
    assertTrue(run.out().contains("6 of 6 layers fit opencl: "), run.out());
  }

  @Test
  void kernelsOnHostMemoryDoNotSplit() {
    Run run = Run.of("generate", "--kernels", "reference", "--device-layers", "3", "-n", "1");
    assertEquals(2, run.status());
    assertTrue(run.err().contains("work on host memory"), run.err());
    run = Run.of("generate", "--device-layers", "many", "-n", "1");
    assertEquals(2, run.status());
    assertTrue(run.err().contains("neither a number"), run.err());
  }
}
