package io.attention4j.llm.safetensors;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.format.FuzzRun;
import io.attention4j.llm.format.ModelFormatException;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsFuzzTest {
  @TempDir Path folder;

  @Test
  void mutatedFilesAreReadOrRefused() throws IOException {
    String two =
        "{" + TinySafetensors.vector("x", 1, 0) + "," + TinySafetensors.vector("y", 1, 4) + "}";
    FuzzRun.run(
        "safetensors",
        List.of(
            TinySafetensors.bytes(TinySafetensors.HEADER, TinySafetensors.DATA_BYTES),
            TinySafetensors.bytes(two, 8)),
        folder.resolve("f.safetensors"),
        SafetensorsFuzzTest::read);
  }

  @Test
  void mutatedIndexesAreReadOrRefused() throws IOException {
    TinySafetensors.write(
        folder.resolve("m.safetensors"), "{" + TinySafetensors.vector("x", 1, 0) + "}", 4);
    String index = "{\"metadata\":{\"total_size\":4},\"weight_map\":{\"x\":\"m.safetensors\"}}";
    FuzzRun.run(
        "index",
        List.of(index.getBytes(StandardCharsets.UTF_8)),
        folder.resolve("index.json"),
        SafetensorsFuzzTest::read);
  }

  /** Files of 1 to 4 MB, above the floor of the bound, that hold as many objects as they can. */
  @Test
  void denseFilesStayWithinTheAllocationBound() throws IOException {
    StringBuilder metadata = new StringBuilder("{\"__metadata__\":{");
    StringBuilder tensors = new StringBuilder("{");
    for (int i = 0; i < 1 << 16; i++) {
      String separator = i == 0 ? "" : ",";
      metadata.append(separator).append('"').append(Integer.toString(i, 36)).append("\":\"\"");
      tensors.append(separator).append(TinySafetensors.vector(Integer.toString(i, 36), 0, 0));
    }
    accept("metadata", metadata + "}}");
    String tooMany = metadata.append(",\"more\":\"\"}}").toString();
    Path path = TinySafetensors.write(folder.resolve("dense.safetensors"), tooMany, 0);
    assertFalse(FuzzRun.read("too many keys", path, SafetensorsFuzzTest::read).accepted());
    accept("tensors", tensors.append("}").toString());
  }

  private void accept(String label, String header) throws IOException {
    Path path = TinySafetensors.write(folder.resolve("dense.safetensors"), header, 0);
    FuzzRun.Outcome outcome = FuzzRun.read(label, path, SafetensorsFuzzTest::read);
    assertTrue(outcome.accepted(), label);
    System.out.printf(
        "%s: %d bytes, %d allocated%n", label, header.length(), outcome.allocatedBytes());
  }

  private static void read(Path path) throws IOException {
    try (SafetensorsFile file = SafetensorsFile.open(path)) {
      for (String name : file.names()) {
        if (readable(file, name)) {
          Tensor tensor = file.tensor(name);
          if (tensor.byteSize() > 0) {
            tensor.segment().get(ValueLayout.JAVA_BYTE, tensor.byteSize() - 1);
          }
        }
      }
    }
  }

  private static boolean readable(SafetensorsFile file, String name) {
    try {
      return file.find(name).isPresent();
    } catch (ModelFormatException unsupported) {
      return false;
    }
  }
}
