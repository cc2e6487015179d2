package io.attention4j.llm.gguf;

import static org.junit.jupiter.api.Assertions.assertTrue;

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

  /** Files of 2 to 4 MB, above the floor of the bound, that hold as many objects as they can. */
  @Test
  void denseFilesStayWithinTheAllocationBound() throws IOException {
    TinyGguf.Raw pairs = TinyGguf.Raw.header(3, 0, 1 << 17);
    TinyGguf.Raw tensors = TinyGguf.Raw.header(3, 1 << 16, 0);
    TinyGguf.Raw strings = TinyGguf.Raw.header(3, 0, 1).string("k").u32(9).u32(8).u64(1 << 18);
    for (int i = 0; i < 1 << 18; i++) {
      String name =
          "" + (char) (32 + (i & 63)) + (char) (32 + (i >> 6 & 63)) + (char) (32 + (i >> 12));
      if (i < 1 << 17) {
        pairs.string(name).u32(0).u8(1);
      }
      if (i < 1 << 16) {
        tensors.tensor(name, 0, 0, 0);
      }
      strings.string(name.substring(0, 1));
    }
    accept("pairs", pairs);
    accept("tensors", tensors);
    accept("strings", strings);
  }

  private void accept(String label, TinyGguf.Raw raw) throws IOException {
    Path path = Files.write(folder.resolve("dense.gguf"), raw.bytes());
    FuzzRun.Outcome outcome = FuzzRun.read(label, path, GgufFuzzTest::readOnce);
    assertTrue(outcome.accepted(), label);
    System.out.printf(
        "%s: %d bytes, %d allocated%n", label, raw.bytes().length, outcome.allocatedBytes());
  }

  /** Opens the file and reads each array once, as a decoder would. */
  private static void readOnce(Path path) throws IOException {
    try (GgufFile file = GgufFile.open(path)) {
      for (String key : file.metadata().keys()) {
        if (file.metadata().type(key) == GgufType.ARRAY) {
          file.metadata().strings(key);
        }
      }
    }
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
