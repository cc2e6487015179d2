package io.attention4j.llm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.llm.tiny.SmallDevice;
import io.attention4j.llm.tiny.TinyGgufModel;
import io.attention4j.llm.tiny.TinySpec;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A device that cannot run a model gives way to the CPU, unless it was asked for. */
class DeviceFallbackTest {
  @TempDir Path folder;

  private Path model() throws IOException {
    SmallDevice.PRESENT.set(SmallDevice.THERE);
    return TinyGgufModel.write(TinySpec.of("llama"), folder.resolve("model.gguf"));
  }

  @AfterEach
  void noDevice() {
    assertEquals(SmallDevice.THERE, SmallDevice.PRESENT.getAndSet(0), "devices left open");
  }

  @Test
  void theCpuTakesOver() throws IOException {
    Path file = model();
    assertEquals(List.of("test.small", "auto"), KernelSelector.attempts(null));
    try (LanguageModel model = LanguageModel.load(file)) {
      assertTrue(model.info().kernels().startsWith("cpu."), model.info().kernels());
    }
  }

  @Test
  void aDeviceThatWasAskedForFails() throws IOException {
    Path file = model();
    assertEquals(List.of("test.small"), KernelSelector.attempts("test.small"));
    LoadOptions options = LoadOptions.builder().kernels("test.small").build();
    IllegalStateException e =
        assertThrows(IllegalStateException.class, () -> LanguageModel.load(file, options));
    assertTrue(e.getMessage().contains("0 bytes"), e.getMessage());
  }
}
