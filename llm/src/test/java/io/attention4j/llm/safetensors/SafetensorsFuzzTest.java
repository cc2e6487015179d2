package io.attention4j.llm.safetensors;

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
