package io.attention4j.llm.safetensors;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.operator.WeightSource;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.engine.tensor.Tensors;
import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.loading.SafetensorsWeightFiles;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is written is what is read. */
class SafetensorsWriterTest {
  @TempDir private Path folder;

  @Test
  void tensorsComeBack() throws IOException {
    Path file = folder.resolve("out.safetensors");
    try (Arena arena = Arena.ofConfined()) {
      Tensor matrix = Tensor.ofFloats(arena, new float[] {1, -2, 3.5f, 0, 1e-30f, 7}, 2, 3);
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      tensors.put("a \"quoted\"\n", matrix);
      tensors.put("half", Tensors.convert(matrix, DType.BF16, arena));
      tensors.put("empty", Tensor.allocate(arena, DType.F32, 0, 4));
      tensors.put("scalar", Tensor.ofFloats(arena, new float[] {9}));
      SafetensorsWriter.write(file, tensors);
      try (SafetensorsFile read = SafetensorsFile.open(file)) {
        assertEquals(List.copyOf(tensors.keySet()), List.copyOf(read.names()));
        for (String name : tensors.keySet()) {
          assertEquals(tensors.get(name).dtype(), read.tensor(name).dtype());
          assertEquals(tensors.get(name).shape(), read.tensor(name).shape());
          assertEquals(
              -1,
              tensors
                  .get(name)
                  .segment()
                  .asSlice(0, tensors.get(name).byteSize())
                  .mismatch(read.tensor(name).segment().asSlice(0, tensors.get(name).byteSize())));
        }
      }
    }
    assertEquals(0, Files.size(file) % 2);
  }

  @Test
  void blocksAndViewsAreRefused() {
    Path file = folder.resolve("bad.safetensors");
    try (Arena arena = Arena.ofConfined()) {
      Tensor blocks = Tensor.allocate(arena, DType.Q8_0, 1, 32);
      Tensor view = Tensor.allocate(arena, DType.F32, 2, 3).transpose(0, 1);
      for (Tensor tensor : List.of(blocks, view)) {
        Exception e =
            assertThrows(
                IllegalArgumentException.class,
                () -> SafetensorsWriter.write(file, Map.of("x", tensor)));
        assertTrue(e.getMessage().contains("'x'"), e.getMessage());
      }
    }
    assertTrue(Files.notExists(file));
  }

  @Test
  void anUpdateKeepsOtherTensors() {
    String file = folder.resolve("weights.safetensors").toString();
    try (Arena arena = Arena.ofConfined();
        SafetensorsWeightFiles files = new SafetensorsWeightFiles()) {
      Tensor one = Tensor.ofFloats(arena, new float[] {1}, 1);
      Tensor two = Tensor.ofFloats(arena, new float[] {2}, 1);
      files.update(file, Map.of("a", one));
      files.update(file, Map.of("b", two));
      files.update(file, Map.of("a", two));
      WeightSource weights = files.open(file);
      assertArrayEquals(new float[] {2}, weights.weight("a").orElseThrow().toFloats());
      assertArrayEquals(new float[] {2}, weights.weight("b").orElseThrow().toFloats());
      assertTrue(weights.weight("c").isEmpty());
    }
  }

  @Test
  void aMissingFileIsOneSentence() {
    try (SafetensorsWeightFiles files = new SafetensorsWeightFiles()) {
      String file = folder.resolve("none.safetensors").toString();
      Exception e = assertThrows(ModelFormatException.class, () -> files.open(file));
      assertTrue(e.getMessage().contains("there is no such file"), e.getMessage());
    }
  }
}
