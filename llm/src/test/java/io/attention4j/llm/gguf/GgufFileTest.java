package io.attention4j.llm.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.format.SharedFiles;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GgufFileTest {
  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(ints = {2, 3})
  void readsBackWhatTheWriterWrote(int version) throws IOException {
    Path path = folder.resolve("tiny.gguf");
    TinyGguf.write(path);
    setVersion(path, version);
    try (GgufFile file = GgufFile.open(path)) {
      assertEquals(version, file.version());
      assertEquals(List.of("a", "norm", "q8", "k", "empty"), List.copyOf(file.names()));
      Tensor a = file.tensor("a");
      assertEquals(Shape.of(2, 3), a.shape());
      assertArrayEquals(TinyGguf.ramp(6), a.toFloats());
      assertArrayEquals(TinyGguf.ramp(5), file.tensor("norm").toFloats());
      assertEquals(Shape.of(1, 1, 256), file.tensor("k").shape());
      assertEquals(0, file.tensor("empty").byteSize());
      try (Arena arena = Arena.ofConfined()) {
        assertEquals(-1, file.tensor("q8").segment().mismatch(TinyGguf.bytes(arena, 136)));
      }
      assertTrue(file.find("b").isEmpty());
      assertThrows(UnsupportedOperationException.class, () -> file.names().clear());
    }
  }

  @Test
  void readsEveryMetadataType() throws IOException {
    Path path = folder.resolve("tiny.gguf");
    TinyGguf.write(path);
    try (GgufFile file = GgufFile.open(path)) {
      GgufMetadata metadata = file.metadata();
      assertEquals("tiny", metadata.string("general.architecture"));
      assertTrue(metadata.bool("tiny.flag"));
      assertEquals(65535, metadata.int32("tiny.u16"));
      assertEquals(4294967295L, metadata.int64("tiny.u32"));
      assertEquals(-7, metadata.int32("tiny.i32"));
      assertEquals(1e-5f, metadata.float32("tiny.f32"));
      assertEquals(List.of("", "a", "é", "▁the", "🙂"), metadata.strings("tiny.tokens"));
      assertArrayEquals(new int[] {1, -2, 3}, metadata.int32s("tiny.types"));
      assertArrayEquals(
          new float[] {0f, -1.5f, Float.NEGATIVE_INFINITY}, metadata.float32s("tiny.scores"));
      assertArrayEquals(new boolean[] {true, false, true}, metadata.bools("tiny.pattern"));
      assertEquals(GgufType.ARRAY, metadata.type("tiny.tokens"));
      assertEquals(GgufType.STRING, metadata.elementType("tiny.tokens"));
      assertEquals(5, metadata.count("tiny.tokens"));
      assertEquals("3 x INT32 [1, -2, …]", metadata.describe("tiny.types", 2));
      assertEquals("4294967295", metadata.describe("tiny.u32", 2));
      assertEquals(9, metadata.int32("absent", 9));
      assertEquals(0.5f, metadata.float32("absent", 0.5f));
      assertEquals("x", metadata.string("absent", "x"));
      assertTrue(metadata.bool("absent", true));
    }
  }

  @Test
  void typeErrorsNameKeyExpectedAndFoundType() throws IOException {
    Path path = folder.resolve("tiny.gguf");
    TinyGguf.write(path);
    try (GgufFile file = GgufFile.open(path)) {
      GgufMetadata metadata = file.metadata();
      assertError("'tiny.flag' should be STRING but is BOOL", () -> metadata.string("tiny.flag"));
      assertError(
          "'tiny.f32' should be an integer but is FLOAT32", () -> metadata.int32("tiny.f32"));
      assertError("'tiny.i32' should be FLOAT32 but is INT32", () -> metadata.float32("tiny.i32"));
      assertError(
          "'tiny.types' should be an array of STRING but is an array of INT32",
          () -> metadata.strings("tiny.types"));
      assertError("'tiny.i32' should be an array of integers", () -> metadata.int32s("tiny.i32"));
      assertError("'tiny.u32' has the value 4294967295", () -> metadata.int32("tiny.u32"));
      assertError("'nope' (STRING) is missing", () -> metadata.string("nope"));
      assertError("the tensor 'nope' is missing", () -> file.tensor("nope"));
    }
  }

  @Test
  void aClosedFileRefusesUse() throws IOException {
    Path path = folder.resolve("tiny.gguf");
    TinyGguf.write(path);
    GgufFile file = GgufFile.open(path);
    Tensor a = file.tensor("a");
    file.close();
    file.close();
    assertThrows(IllegalStateException.class, a::toFloats);
    assertThrows(IllegalStateException.class, () -> file.metadata().string("general.architecture"));
  }

  @Test
  void honoursGeneralAlignment() throws IOException {
    TinyGguf.Raw raw = TinyGguf.Raw.header(3, 2, 1);
    raw.string("general.alignment").u32(4).u32(8).tensor("s", 0, 0, 1).tensor("t", 0, 8, 1);
    int start = (raw.bytes().length + 7) / 8 * 8;
    byte[] bytes = java.util.Arrays.copyOf(raw.bytes(), start + 12);
    bytes[start + 10] = (byte) 0x80;
    bytes[start + 11] = 0x3f;
    Path path = Files.write(folder.resolve("aligned.gguf"), bytes);
    try (GgufFile file = GgufFile.open(path)) {
      assertEquals(1f, file.tensor("t").get(0));
    }
  }

  @Test
  void opensASplitModelByAnyPart() throws IOException {
    writeSplit(3, 4);
    for (int i = 0; i < 3; i++) {
      try (GgufFile file = GgufFile.open(folder.resolve(GgufFile.partName("m", i, 3)))) {
        assertEquals(3, file.files().size());
        assertEquals(List.of("t0", "t1", "t2", "shared"), List.copyOf(file.names()));
        assertEquals("tiny", file.metadata().string("general.architecture"));
        assertEquals(1f, file.tensor("t1").get(0));
      }
    }
  }

  @Test
  void refusesBadSplits() throws IOException {
    writeSplit(3, 5);
    Path first = folder.resolve(GgufFile.partName("m", 0, 3));
    assertOpenError("4 tensors but split.tensors.count is 5", first);
    writeSplit(3, 4);
    Path third = folder.resolve(GgufFile.partName("m", 2, 3));
    Files.copy(
        folder.resolve(GgufFile.partName("m", 1, 3)),
        third,
        java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    assertOpenError("part 2 of 3 but its name says 3 of 3", first);
    Files.delete(third);
    assertOpenError("m-00003-of-00003.gguf: there is no such file", first);
    Path renamed = Files.copy(first, folder.resolve("renamed.gguf"));
    assertOpenError("split into 3 but its name does not end in", renamed);
    try (Arena arena = Arena.ofConfined()) {
      Tensor one = Tensor.ofFloats(arena, new float[1], 1);
      splitPart(2, 3, 4).tensor("t2", one).tensor("t0", one).write(third);
      assertOpenError("'t0' is also in m-00001-of-00003.gguf", first);
    }
  }

  private void writeSplit(int count, int promisedTensors) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      for (int i = 0; i < count; i++) {
        GgufWriter writer = splitPart(i, count, promisedTensors);
        writer.tensor("t" + i, Tensor.ofFloats(arena, new float[] {i}, 1));
        if (i == count - 1) {
          writer.tensor("shared", Tensor.ofFloats(arena, new float[] {i}, 1));
        }
        writer.write(folder.resolve(GgufFile.partName("m", i, count)));
      }
    }
  }

  private static GgufWriter splitPart(int index, int count, int promisedTensors) {
    GgufWriter writer = index == 0 ? TinyGguf.metadata() : new GgufWriter();
    return writer
        .uint16("split.no", index)
        .uint16("split.count", count)
        .int32("split.tensors.count", promisedTensors);
  }

  @ParameterizedTest
  @CsvSource({
    "data/models/stories260K/stories260K.gguf, F32, 47",
    "data/models/stories260K/stories260K.f16.gguf, F16, 47",
    "data/models/stories260K/stories260K.q8_0.gguf, Q8_0, 47",
    "models/bard-2.5m/bard-2.5m-F16.gguf, F16, 56",
    "models/bard-2.5m/bard-2.5m-Q8_0.gguf, Q8_0, 56",
  })
  void readsRealModels(String path, DType weights, int tensors) throws IOException {
    try (GgufFile file = GgufFile.open(SharedFiles.require(path))) {
      assertEquals("llama", file.metadata().string("general.architecture"));
      int dim = file.metadata().int32("llama.embedding_length");
      int vocabulary = file.metadata().strings("tokenizer.ggml.tokens").size();
      assertEquals(tensors, file.names().size());
      Tensor embedding = file.tensor("token_embd.weight");
      assertEquals(Shape.of(vocabulary, dim), embedding.shape());
      assertEquals(weights, embedding.dtype());
      for (float value : file.tensor("output_norm.weight").toFloats()) {
        assertTrue(Math.abs(value) < 100, "norm weight " + value);
      }
      for (String name : file.names()) {
        Tensor tensor = file.tensor(name);
        tensor.segment().get(ValueLayout.JAVA_BYTE, tensor.byteSize() - 1);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"ggml-vocab-gpt-2.gguf, gpt2, 50257", "ggml-vocab-llama-spm.gguf, llama, 32000"})
  void readsVocabularyFiles(String name, String model, int size) throws IOException {
    try (GgufFile file = GgufFile.open(SharedFiles.require("data/tokenizers/" + name))) {
      GgufMetadata metadata = file.metadata();
      assertTrue(file.names().isEmpty());
      assertEquals(model, metadata.string("tokenizer.ggml.model"));
      assertEquals(size, metadata.strings("tokenizer.ggml.tokens").size());
      assertEquals(size, metadata.int32s("tokenizer.ggml.token_type").length);
      for (String key : metadata.keys()) {
        assertFalse(metadata.describe(key, 3).isEmpty(), key);
      }
    }
  }

  @Test
  void opensALargeFileInstantly() throws IOException {
    Path path = folder.resolve("large.gguf");
    long extent = 1L << 30;
    byte[] header = TinyGguf.Raw.header(3, 1, 0).tensor("t", 24, 0, extent).data(0).bytes();
    Files.write(path, header);
    try (RandomAccessFile sparse = new RandomAccessFile(path.toFile(), "rw")) {
      sparse.setLength(header.length + extent);
    }
    long start = System.nanoTime();
    try (GgufFile file = GgufFile.open(path)) {
      assertEquals(extent, file.tensor("t").byteSize());
    }
    assertTrue(System.nanoTime() - start < 1_000_000_000L);
  }

  @Test
  void theWriterReplacesAtomicallyAndLeavesNothingBehind() throws IOException {
    Path path = folder.resolve("tiny.gguf");
    TinyGguf.write(path);
    byte[] before = Files.readAllBytes(path);
    GgufWriter bad = new GgufWriter();
    bad.tensor("t", DType.F32, Shape.of(4), sink -> {});
    assertTrue(
        assertThrows(IOException.class, () -> bad.write(path)).getMessage().contains("16 bytes"));
    assertArrayEquals(before, Files.readAllBytes(path));
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(List.of(path), files.toList());
    }
    TinyGguf.write(path);
    assertArrayEquals(before, Files.readAllBytes(path));
  }

  @Test
  void theWriterRefusesWhatTheFormatForbids() {
    GgufWriter writer = new GgufWriter().string("k", "v");
    assertThrows(IllegalArgumentException.class, () -> writer.string("k", "w"));
    assertThrows(IllegalArgumentException.class, () -> writer.uint32("general.alignment", 64));
    assertThrows(IllegalArgumentException.class, () -> writer.uint16("u", 65536));
    GgufWriter.TensorData none = sink -> {};
    assertThrows(
        IllegalArgumentException.class,
        () -> writer.tensor("t", DType.Q8_0, Shape.of(2, 31), none));
    assertThrows(
        IllegalArgumentException.class,
        () -> writer.tensor("t", DType.F32, Shape.of(1, 1, 1, 1, 1), none));
    writer.tensor("t", DType.F32, Shape.of(1), none);
    assertThrows(
        IllegalArgumentException.class, () -> writer.tensor("t", DType.F32, Shape.of(1), none));
  }

  private static void setVersion(Path path, int version) throws IOException {
    byte[] bytes = Files.readAllBytes(path);
    bytes[4] = (byte) version;
    Files.write(path, bytes);
  }

  private static void assertError(String part, Runnable action) {
    String message = assertThrows(ModelFormatException.class, action::run).getMessage();
    assertTrue(message.contains(part), message);
  }

  private static void assertOpenError(String part, Path path) {
    String message =
        assertThrows(ModelFormatException.class, () -> GgufFile.open(path)).getMessage();
    assertTrue(message.contains(part), message);
  }
}
