package io.attention4j.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.Availability;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ProvidersTest {
  /** Prints the availability of cpu.simd in a JVM of its own. */
  static final class Probe {
    private Probe() {}

    public static void main(String[] args) {
      System.out.println(new SimdProvider().availability());
    }
  }

  @Test
  void serviceLoaderFindsBothBestFirst() {
    List<String> ids =
        KernelSelector.providers().stream()
            .map(KernelProvider::id)
            .filter(id -> id.startsWith("cpu."))
            .toList();
    assertEquals(List.of("cpu.simd", "cpu.scalar"), ids);
  }

  @Test
  void jvmWithoutTheVectorApiIsToldWhatToAdd() throws Exception {
    String answer = probe();
    assertTrue(answer.startsWith("Unavailable"), answer);
    assertTrue(answer.contains("--add-modules jdk.incubator.vector"), answer);
  }

  /** Opens kernels twice, as two models do. */
  static final class OpenTwice {
    private OpenTwice() {}

    public static void main(String[] args) {
      for (int i = 0; i < 2; i++) {
        try (KernelSelector kernels = KernelSelector.open(null, new DeviceOptions(1))) {
          System.out.println(kernels.device().providerId());
        }
      }
    }
  }

  @Test
  void theScalarFallbackIsSaidOnceAndNotWhereItWasAskedFor() throws Exception {
    Ended fallback = run(OpenTwice.class);
    assertEquals("cpu.scalar\ncpu.scalar", fallback.out());
    String warning = "slower kernels cpu.scalar";
    assertEquals(
        1, fallback.err().lines().filter(line -> line.contains(warning)).count(), fallback.err());
    assertTrue(fallback.err().contains("--add-modules jdk.incubator.vector"), fallback.err());
    assertEquals("", run(OpenTwice.class, "-Dattention4j.kernels=cpu.scalar").err());
    Ended best = run(OpenTwice.class, "--add-modules", "jdk.incubator.vector");
    assertEquals("cpu.simd\ncpu.simd", best.out());
    assertTrue(!best.err().contains(warning), best.err());
  }

  @Test
  void interpretersAreRefused() throws Exception {
    String answer = probe("--add-modules", "jdk.incubator.vector", "-Xint");
    assertTrue(answer.contains("without an optimising compiler"), answer);
    answer = probe("--add-modules", "jdk.incubator.vector", "-XX:TieredStopAtLevel=1");
    assertTrue(answer.contains("without an optimising compiler"), answer);
  }

  @Test
  void vectorWidthsAreChecked() throws Exception {
    for (String width : List.of("100", "1024", "wide")) {
      String answer =
          probe("--add-modules", "jdk.incubator.vector", "-Dattention4j.vectorBits=" + width);
      assertTrue(answer.startsWith("Unavailable"), answer);
      assertTrue(answer.contains("vectorBits=" + width), answer);
      assertTrue(answer.contains("128, 256 or 512"), answer);
    }
    String answer = probe("--add-modules", "jdk.incubator.vector", "-Dattention4j.vectorBits=128");
    assertTrue(answer.contains("128-bit"), answer);
  }

  private record Ended(String out, String err) {}

  private static String probe(String... options) throws IOException, InterruptedException {
    return run(Probe.class, options).out();
  }

  private static Ended run(Class<?> main, String... options)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(options));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
    Process process = new ProcessBuilder(command).start();
    String out = new String(process.getInputStream().readAllBytes());
    String err = new String(process.getErrorStream().readAllBytes());
    assertTrue(process.waitFor(60, TimeUnit.SECONDS), "the probe hangs");
    assertEquals(0, process.exitValue(), err);
    return new Ended(out.strip().replace("\r", ""), err);
  }

  @Test
  void refusalsAreExplainedAndTheNextProviderIsTaken() {
    AttentionSpec code =
        AttentionSpec.builder(2, 1, 8)
            .mask(new Mask.Custom((sequence, head, row, key) -> row == key))
            .build();
    try (KernelSelector kernels = KernelSelector.open(null, new DeviceOptions(1))) {
      List<String> lines = kernels.explain(AttentionKernel.class, code);
      assertTrue(
          lines.get(0).startsWith("cpu.simd refuses: mask is or contains Custom"), lines::toString);
      assertEquals("cpu.scalar takes it", lines.get(1));
      assertTrue(kernels.select(AttentionKernel.class, code) instanceof ScalarAttention);
    }
    try (KernelSelector named = KernelSelector.open("cpu.simd", new DeviceOptions(1))) {
      String refusal =
          assertThrows(
                  IllegalArgumentException.class, () -> named.select(AttentionKernel.class, code))
              .getMessage();
      assertTrue(refusal.contains("kernels were chosen by name"), refusal);
      assertTrue(refusal.contains("cpu.simd: mask is or contains Custom"), refusal);
    }
    String unknown =
        assertThrows(
                IllegalArgumentException.class,
                () -> KernelSelector.open("cpu.simdd", DeviceOptions.DEFAULTS))
            .getMessage();
    assertTrue(unknown.contains("cpu.simdd") && unknown.contains("cpu.scalar"), unknown);
  }

  @Test
  void scalarIsAlwaysThere() {
    assertTrue(new ScalarProvider().availability() instanceof Availability.Available);
  }

  @Test
  void deviceCopiesBothWays() {
    try (Device device = new ScalarProvider().open(new DeviceOptions(1));
        Device.TensorArena tensors = device.newArena();
        Arena arena = Arena.ofConfined()) {
      assertEquals(1, device.threads());
      Tensor tensor = tensors.allocate(DType.F32, 2, 3);
      MemorySegment source = arena.allocateFrom(Tensor.FLOAT, 1, 2, 3, 4, 5, 6);
      device.upload(source, tensor);
      MemorySegment target = arena.allocate(24);
      device.download(tensor, target);
      assertEquals(-1, source.mismatch(target));
      MemorySegment small = arena.allocate(20);
      assertThrows(IllegalArgumentException.class, () -> device.upload(small, tensor));
      assertThrows(IllegalArgumentException.class, () -> device.download(tensor, small));
    }
  }
}
