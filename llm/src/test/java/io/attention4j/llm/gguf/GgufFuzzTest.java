package io.attention4j.llm.gguf;

import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.format.FuzzRun;
import io.attention4j.llm.format.ModelFormatException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GgufFuzzTest {
  @TempDir Path folder;

  @Test
  void mutatedFilesAreReadOrRefused() throws IOException {
    Path seed = folder.resolve("seed.gguf");
    TinyGguf.write(seed);
    byte[] full = Files.readAllBytes(seed);
    byte[] v2 = full.clone();
    v2[4] = 2;
    try (Arena arena = Arena.ofConfined()) {
      new GgufWriter()
          .string("general.architecture", "t")
          .uint16("split.count", 1)
          .tensor("t", Tensor.ofFloats(arena, TinyGguf.ramp(4), 2, 2))
          .tensor("u", Tensor.ofFloats(arena, TinyGguf.ramp(4), 4))
          .write(seed);
    }
    byte[] small = Files.readAllBytes(seed);
    byte[] aligned =
        TinyGguf.Raw.header(3, 1, 1)
            .string("general.alignment")
            .u32(4)
            .u32(32)
            .tensor("t", 0, 0, 4, 2)
            .data(32)
            .bytes();
    FuzzRun.run(
        "gguf", List.of(full, v2, small, aligned), folder.resolve("f.gguf"), GgufFuzzTest::read);
  }

  private static void read(Path path) throws IOException {
    try (GgufFile file = GgufFile.open(path)) {
      GgufMetadata metadata = file.metadata();
      for (String key : metadata.keys()) {
        metadata.describe(key, Integer.MAX_VALUE);
        readTyped(metadata, key);
      }
      for (String name : file.names()) {
        Tensor tensor = file.tensor(name);
        if (tensor.byteSize() > 0) {
          tensor.segment().get(ValueLayout.JAVA_BYTE, tensor.byteSize() - 1);
        }
      }
    }
  }

  /** Asks for the value by each getter; a wrong type is refused like any other defect. */
  private static void readTyped(GgufMetadata metadata, String key) {
    List<Runnable> getters =
        List.of(
            () -> metadata.string(key),
            () -> metadata.bool(key),
            () -> metadata.int32(key),
            () -> metadata.float32(key),
            () -> metadata.strings(key),
            () -> metadata.int32s(key),
            () -> metadata.float32s(key),
            () -> metadata.bools(key));
    int readable = 0;
    for (Runnable getter : getters) {
      try {
        getter.run();
        readable++;
      } catch (ModelFormatException otherType) {
        continue;
      }
    }
    if (readable > 1) {
      throw new AssertionError(key + " was read as " + readable + " types");
    }
  }
}
