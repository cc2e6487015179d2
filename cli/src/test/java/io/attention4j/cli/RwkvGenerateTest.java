package io.attention4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assumptions.abort;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The published RWKV-7 file, read and continued by the command. */
class RwkvGenerateTest {
  @Test
  void theCommandGeneratesTheSameTextOnEveryProvider() {
    Path file =
        Path.of(System.getProperty("attention4j.shared", "../../shared"))
            .resolve("data/models/tiny-rwkv-7/tiny-rwkv-7v0-834K-FP32.bin");
    if (!Files.exists(file)) {
      System.out.println("SKIPPED RwkvGenerateTest: no " + file.toAbsolutePath().normalize());
      abort("the model is not at " + file.toAbsolutePath().normalize());
    }
    String expected = null;
    for (String kernels : new String[] {"reference", "cpu.scalar"}) {
      Run run =
          Run.of(
              "generate",
              "-m",
              file.toString(),
              "--kernels",
              kernels,
              "-p",
              "In the",
              "-n",
              "12",
              "--temperature",
              "0");
      assertEquals(0, run.status(), run.err());
      assertEquals("", run.err());
      assertFalse(run.out().isBlank(), "'" + run.out() + "'");
      if (expected != null) {
        assertEquals(expected, run.out());
      }
      expected = run.out();
    }
  }
}
