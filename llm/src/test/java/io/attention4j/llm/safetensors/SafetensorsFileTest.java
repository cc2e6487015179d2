package io.attention4j.llm.safetensors;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.format.SharedFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class SafetensorsFileTest {
  @TempDir Path folder;

  @Test
  void readsTensorsOfSeveralTypes() throws IOException {
    Path path = folder.resolve("model.safetensors");
    TinySafetensors.write(path, TinySafetensors.HEADER, TinySafetensors.DATA_BYTES);
    try (SafetensorsFile file = SafetensorsFile.open(path)) {
      assertEquals(List.of("a", "b", "mask", "none", "scalar"), List.copyOf(file.names()));
      Tensor a = file.tensor("a");
      assertEquals(Shape.of(2, 3), a.shape());
      assertEquals(Float.intBitsToFloat(0x07060504), a.get(0, 1));
      Tensor b = file.tensor("b");
      assertEquals(DType.BF16, b.dtype());
      assertEquals(0x1918, b.segment().get(Tensor.SHORT, 0));
      assertEquals(0, file.tensor("none").byteSize());
      assertEquals(8, file.tensor("scalar").byteSize());
      assertTrue(file.find("c").isEmpty());
      assertError("'c' is missing", () -> file.tensor("c"));
      assertError("'mask' has the dtype BOOL", () -> file.tensor("mask"));
    }
  }

  @Test
  void aClosedFileRefusesUse() throws IOException {
    Path path = folder.resolve("model.safetensors");
    TinySafetensors.write(path, TinySafetensors.HEADER, TinySafetensors.DATA_BYTES);
    SafetensorsFile file = SafetensorsFile.open(path);
    Tensor a = file.tensor("a");
    file.close();
    file.close();
    assertThrows(IllegalStateException.class, a::toFloats);
  }

  @Test
  void refusesEveryPrefixAndAnExtraByte() throws IOException {
    byte[] whole = TinySafetensors.bytes(TinySafetensors.HEADER, TinySafetensors.DATA_BYTES);
    for (int length = 0; length <= whole.length + 1; length++) {
      Path cut = Files.write(folder.resolve("cut.safetensors"), Arrays.copyOf(whole, length));
      try (SafetensorsFile file = SafetensorsFile.open(cut)) {
        if (length != whole.length) {
          fail("opened " + length + " of " + whole.length + " bytes: " + file.names());
        }
      } catch (ModelFormatException expected) {
        assertTrue(length != whole.length, expected.getMessage());
        assertTrue(expected.getMessage().startsWith(cut + ": "), expected.getMessage());
      }
    }
  }

  static Stream<Arguments> badHeaders() {
    String a = TinySafetensors.vector("a", 2, 0);
    return Stream.of(
        bad("malformed", ""),
        bad("should be an object but an array", "[]"),
        bad("malformed", "{\"a\":"),
        bad("followed by more text", "{" + a + "} {}"),
        bad("'a' occurs twice", "{" + a + "," + a + "}"),
        bad("__metadata__ occurs twice", "{\"__metadata__\":{},\"__metadata__\":{}," + a + "}"),
        bad("the key 'k' twice", "{\"__metadata__\":{\"k\":\"\",\"k\":\"\"}," + a + "}"),
        bad("should be a string", "{\"__metadata__\":{\"k\":1}," + a + "}"),
        bad(
            "field 'dtype' twice",
            "{" + a.replace("\"shape\"", "\"dtype\":\"F32\",\"shape\"") + "}"),
        bad("unknown field 'x'", "{" + a.replace("\"shape\"", "\"x\":1,\"shape\"") + "}"),
        bad("lacks one of", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}"),
        bad("lacks one of", "{" + a.replace("[0,8]", "[0]") + "}"),
        bad("more than 2 entries", "{" + a.replace("[0,8]", "[0,8,9]") + "}"),
        bad("more than 8 entries", "{" + a.replace("[2]", "[2,1,1,1,1,1,1,1,1]") + "}"),
        bad("unknown dtype 'F31'", "{" + a.replace("F32", "F31") + "}"),
        bad("takes 8 bytes", "{" + a.replace("[0,8]", "[0,4]") + "}"),
        bad("takes 8 bytes", "{" + a.replace("[0,8]", "[8,0]") + "}"),
        bad("takes 4 bytes", "{" + a.replace("F32", "F16") + "}"),
        bad("takes 12 bytes", "{" + a.replace("[2]", "[3]") + "}"),
        bad("size overflows", "{" + a.replace("[2]", "[4611686018427387904,2]") + "}"),
        bad("malformed", "{" + a.replace("[2]", "[9223372036854775808]") + "}"),
        bad("malformed", "{" + a.replace("[2]", "[1" + "0".repeat(2000) + "]") + "}"),
        bad("negative entry -2", "{" + a.replace("[2]", "[-2]") + "}"),
        bad("should be an integer but a fraction", "{" + a.replace("[2]", "[2.0]") + "}"),
        bad("should be an integer but null", "{" + a.replace("[2]", "[null]") + "}"),
        bad("starts at byte 4", "{" + TinySafetensors.vector("a", 1, 4) + "}"),
        bad("overlap or leave a hole", "{" + a + "," + TinySafetensors.vector("b", 1, 4) + "}"),
        bad("ends at byte 12", "{" + a + "," + TinySafetensors.vector("b", 1, 8) + "}"),
        bad("take 4 bytes but the file has 8", "{" + TinySafetensors.vector("a", 1, 0) + "}"));
  }

  private static Arguments bad(String message, String header) {
    return Arguments.of(message, header);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("badHeaders")
  void refusesWithOneSentence(String part, String header) throws IOException {
    Path path = TinySafetensors.write(folder.resolve("bad.safetensors"), header, 8);
    assertOpenError(part.equals("malformed") && header.isEmpty() ? "text ends" : part, path);
  }

  @Test
  void refusesLyingHeaderLengthsAndOtherBytes() throws IOException {
    byte[] whole = TinySafetensors.bytes(TinySafetensors.HEADER, TinySafetensors.DATA_BYTES);
    Path path = folder.resolve("bad.safetensors");
    whole[7] = 0x10;
    assertOpenError("its header would have", Files.write(path, whole));
    whole[7] = (byte) 0xff;
    assertOpenError("its header would have 18374686479671624", Files.write(path, whole));
    whole[7] = 0;
    whole[3] = 1;
    assertOpenError("does not fit the file", Files.write(path, whole));
    whole[3] = 0;
    whole[8 + 3] = (byte) 0xff;
    assertOpenError("not valid UTF-8", Files.write(path, whole));
    Files.writeString(path, "version https://git-lfs.github.com/spec/v1\n");
    assertOpenError("Git LFS pointer", path);
    assertOpenError("there is no such file", folder.resolve("absent.safetensors"));
  }

  @Test
  void readsShardsAndOnlyWhatTheIndexNames() throws IOException {
    Path index = writeShards("{\"a\":\"m-1.safetensors\",\"c\":\"m-2.safetensors\"}");
    try (SafetensorsFile file = SafetensorsFile.open(index)) {
      assertEquals(List.of("a", "c"), List.copyOf(file.names()));
      assertEquals(2, file.files().size());
      assertEquals(Shape.of(3), file.tensor("c").shape());
    }
  }

  @Test
  void refusesBadIndexes() throws IOException {
    assertOpenError("which index.json places", "{\"b\":\"m-2.safetensors\"}");
    assertOpenError("'a' twice", "{\"a\":\"m-1.safetensors\",\"a\":\"m-2.safetensors\"}");
    assertOpenError("no such file", "{\"a\":\"m-3.safetensors\"}");
    assertOpenError("not a .safetensors file beside it", "{\"a\":\"../m-1.safetensors\"}");
    assertOpenError("not a .safetensors file beside it", "{\"a\":\"m\\u0000.safetensors\"}");
    assertOpenError("should be a string", "{\"a\":1}");
    assertOpenError("should be an object", "7");
    Path index = folder.resolve("index.json");
    String deep = "{\"metadata\":" + "[".repeat(100_000);
    assertOpenError("nesting depth", Files.writeString(index, deep));
    assertOpenError("no weight_map", Files.writeString(index, "{\"metadata\":{}}"));
    assertOpenError(
        "'weight_map' occurs twice",
        Files.writeString(index, "{\"weight_map\":{},\"weight_map\":{}}"));
  }

  private Path writeShards(String weightMap) throws IOException {
    String one = "{" + TinySafetensors.vector("a", 2, 0) + "," + TinySafetensors.vector("b", 1, 8);
    TinySafetensors.write(folder.resolve("m-1.safetensors"), one + "}", 12);
    String two = "{" + TinySafetensors.vector("c", 3, 0) + "}";
    TinySafetensors.write(folder.resolve("m-2.safetensors"), two, 12);
    return Files.writeString(
        folder.resolve("index.json"),
        "{\"metadata\":{\"total_size\":24},\"weight_map\":" + weightMap + "}");
  }

  private void assertOpenError(String part, String weightMap) throws IOException {
    assertOpenError(part, writeShards(weightMap));
  }

  @Test
  void readsARealFolder() throws IOException {
    Path path = SharedFiles.require("data/models/TinyStories-656K/config.json").getParent();
    assertTrue(HuggingFaceFolder.isAt(path));
    try (HuggingFaceFolder model = HuggingFaceFolder.open(path)) {
      long hidden = model.config().required("hidden_size").asLong();
      long vocabulary = model.config().required("vocab_size").asLong();
      assertEquals(
          // The embedding is tied, and this file stores it under the output's name alone.
          Shape.of(vocabulary, hidden), model.weights().tensor("lm_head.weight").shape());
      for (String name : model.weights().names()) {
        assertTrue(model.weights().tensor(name).byteSize() > 0, name);
      }
    }
  }

  @Test
  void readsTheDemoModelsFolder() throws IOException {
    Path path = SharedFiles.require("models/bard-2.5m/config.json").getParent();
    try (HuggingFaceFolder model = HuggingFaceFolder.open(path)) {
      long elements = 0;
      for (String name : model.weights().names()) {
        elements += model.weights().tensor(name).shape().elements();
      }
      assertEquals(2_558_400, elements);
    }
  }

  @Test
  void aFolderNeedsConfigAndWeights() throws IOException {
    assertFolderError("no config.json");
    Path config = Files.writeString(folder.resolve("config.json"), "{\"x\": Infinity}");
    assertFolderError("neither model.safetensors nor model.safetensors.index.json");
    Path index = writeShards("{\"a\":\"m-1.safetensors\"}");
    Files.move(index, folder.resolve("model.safetensors.index.json"));
    try (HuggingFaceFolder model = HuggingFaceFolder.open(folder)) {
      assertEquals(Double.POSITIVE_INFINITY, model.config().get("x").asDouble());
      assertEquals(List.of("a"), List.copyOf(model.weights().names()));
    }
    Files.writeString(config, "{\"x\": 1, \"x\": 2}");
    assertFolderError("Duplicate field");
    Files.writeString(config, "{}{}");
    assertFolderError("malformed at line 1");
    Files.writeString(config, "[1]");
    assertFolderError("not hold a JSON object");
    Files.writeString(config, "");
    assertFolderError("not hold a JSON object");
    Files.writeString(config, "{\"x\":" + "[".repeat(5000));
    assertFolderError("malformed");
  }

  private void assertFolderError(String part) {
    String message =
        assertThrows(ModelFormatException.class, () -> HuggingFaceFolder.open(folder)).getMessage();
    assertTrue(message.contains(part), message);
  }

  private static void assertError(String part, Runnable action) {
    String message = assertThrows(ModelFormatException.class, action::run).getMessage();
    assertTrue(message.contains(part), message);
  }

  private static void assertOpenError(String part, Path path) {
    String message =
        assertThrows(ModelFormatException.class, () -> SafetensorsFile.open(path)).getMessage();
    assertTrue(message.contains(part), message);
    assertEquals(-1, message.indexOf('\n'), message);
  }
}
