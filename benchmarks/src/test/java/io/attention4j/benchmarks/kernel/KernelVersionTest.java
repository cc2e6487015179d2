package io.attention4j.benchmarks.kernel;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.kernels.cpu.ScalarProvider;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class KernelVersionTest {
  private static final DeviceOptions ONE_THREAD = new DeviceOptions(1);

  @Test
  void twoVersionsHaveClassesOfTheirOwnAndAgree() throws IOException, URISyntaxException {
    String classes =
        Path.of(ScalarProvider.class.getProtectionDomain().getCodeSource().getLocation().toURI())
            .toString();
    AttentionCase kind = AttentionCase.prefill(2, 8, 16, true);
    try (KernelVersion a = new KernelVersion(classes, "cpu.scalar", ONE_THREAD);
        KernelVersion b = new KernelVersion(classes, "cpu.scalar", ONE_THREAD);
        AttentionProblem ofA = new AttentionProblem(a.kernels(), kind);
        AttentionProblem ofB = new AttentionProblem(b.kernels(), kind)) {
      assertNotSame(a.kernels().device().getClass(), b.kernels().device().getClass());
      ofA.run();
      ofB.run();
      assertArrayEquals(ofA.outputByHead(), ofB.outputByHead());
    }
  }

  @Test
  void classPathWithoutTheKernelsIsRefused(@TempDir Path empty) {
    String classPath = empty.toString();
    IllegalArgumentException refused =
        assertThrows(
            IllegalArgumentException.class,
            () -> new KernelVersion(classPath, "cpu.scalar", ONE_THREAD));
    assertTrue(refused.getMessage().contains(classPath), refused.getMessage());
  }
}
