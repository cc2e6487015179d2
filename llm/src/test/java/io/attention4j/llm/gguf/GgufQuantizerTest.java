package io.attention4j.llm.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.RowCodec;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.format.SharedFiles;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class GgufQuantizerTest {
  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({
    "blk.0.attn_q.weight, 256, Q4_K, false, Q4_K",
    "blk.0.attn_q.weight, 96, Q4_K, false, Q8_0",
    "blk.0.attn_q.weight, 96, Q4_0, false, Q4_0",
    "blk.0.attn_q.weight, 172, Q6_K, false, F16",
    "blk.0.attn_q.weight, 172, BF16, false, BF16",
    "output.weight, 256, Q4_0, true, Q6_K",
    "output.weight, 64, Q4_0, true, Q8_0",
    "output.weight, 256, Q8_0, true, Q8_0",
    "token_embd.weight, 256, Q4_K, false, Q4_K",
    "blk.0.attn_norm.weight, 256, Q4_0, false, F32",
    "blk.0.attn_q_norm.weight, 256, Q4_0, false, F32",
    "blk.0.attn_q.bias, 256, Q4_0, false, F32",
    "blk.0.ffn_gate_inp.weight, 256, Q4_0, false, F32",
    "position_embd.weight, 256, Q4_0, false, F32",
  })
  void choosesTypesByTheStatedRule(
      String name, long row, DType wanted, boolean output, DType expected) {
    assertEquals(expected, GgufQuantizer.typeOf(name, DType.F32, Shape.of(4, row), wanted, output));
    assertEquals(DType.F32, GgufQuantizer.typeOf(name, DType.F32, Shape.of(row), wanted, output));
    assertEquals(
        DType.I32, GgufQuantizer.typeOf(name, DType.I32, Shape.of(4, row), wanted, output));
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_K", "Q6_K"})
  void everyTensorIsTheCodecsEncodingOfItsSource(DType type) throws IOException {
    Path source = model(folder.resolve("in.gguf"), 300, 512);
    Path target = folder.resolve("out.gguf");
    GgufQuantizer.Result result = GgufQuantizer.quantize(source, target, type);
    try (GgufFile before = GgufFile.open(source);
        GgufFile after = GgufFile.open(target);
        Arena arena = Arena.ofConfined()) {
      assertEquals(before.names(), after.names());
      assertEquals("tiny", after.metadata().string("general.architecture"));
      assertEquals(
          before.metadata().strings("tiny.tokens"), after.metadata().strings("tiny.tokens"));
      assertTrue(after.metadata().contains("general.file_type"));
      assertArrayEquals(
          before.tensor("blk.0.attn_norm.weight").toFloats(),
          after.tensor("blk.0.attn_norm.weight").toFloats());
      Tensor weight = after.tensor("blk.0.attn_q.weight");
      assertEquals(type, weight.dtype());
      float[] values = before.tensor("blk.0.attn_q.weight").toFloats();
      Tensor expected = Tensor.allocate(arena, type, 300, 512);
      RowCodec.of(type).encode(values, 0, expected.segment(), 0, values.length);
      long bytes = expected.byteSize();
      assertEquals(
          -1, expected.segment().asSlice(0, bytes).mismatch(weight.segment().asSlice(0, bytes)));
      assertEquals(2, after.names().size());
      assertEquals(type == DType.F32 ? 0 : 1, result.converted());
      assertEquals(2 - result.converted(), result.copied());
      assertEquals(300 * 512 * 4 + 512 * 4, result.sourceBytes());
      assertEquals(bytes + 512 * 4, result.targetBytes());
    }
  }

  @Test
  void aRealModelBecomesWhatAnotherToolMadeOfIt() throws IOException {
    Path target = folder.resolve("out.gguf");
    GgufQuantizer.quantize(
        SharedFiles.require("data/models/stories260K/stories260K.gguf"), target, DType.Q8_0);
    Path theirs = SharedFiles.require("data/models/stories260K/stories260K.q8_0.gguf");
    try (GgufFile ours = GgufFile.open(target);
        GgufFile other = GgufFile.open(theirs)) {
      assertEquals(other.names(), ours.names());
      for (String name : other.names()) {
        Tensor expected = other.tensor(name);
        Tensor found = ours.tensor(name);
        assertEquals(expected.toString(), found.toString(), name);
        assertEquals(-1, expected.segment().mismatch(found.segment()), name);
      }
    }
  }

  @Test
  void refusesWhatCannotBeDone() throws IOException {
    Path source = model(folder.resolve("in.gguf"), 2, 256);
    Path target = folder.resolve("out.gguf");
    assertThrows(
        IllegalArgumentException.class, () -> GgufQuantizer.quantize(source, target, DType.Q5_K));
    assertThrows(
        IllegalArgumentException.class, () -> GgufQuantizer.quantize(source, source, DType.Q8_0));
    Path small = folder.resolve("small.gguf");
    GgufQuantizer.quantize(source, small, DType.Q4_K);
    assertError("already Q4_K", small, target, DType.Q8_0);
    try (Arena arena = Arena.ofConfined()) {
      float[] values = new float[512];
      values[300] = Float.NaN;
      TinyGguf.metadata().tensor("x.weight", Tensor.ofFloats(arena, values, 2, 256)).write(source);
    }
    assertError("'x.weight' cannot become Q8_0 (element 300 is NaN", source, target, DType.Q8_0);
    assertFalse(Files.exists(target));
  }

  private static void assertError(String part, Path source, Path target, DType type) {
    String message =
        assertThrows(ModelFormatException.class, () -> GgufQuantizer.quantize(source, target, type))
            .getMessage();
    assertTrue(message.contains(part), message);
  }

  private static Path model(Path file, int rows, int columns) throws IOException {
    SplittableRandom random = new SplittableRandom(17);
    float[] weights = new float[rows * columns];
    for (int i = 0; i < weights.length; i++) {
      weights[i] = (float) random.nextGaussian();
    }
    float[] norm = new float[columns];
    Arrays.fill(norm, 1.25f);
    try (Arena arena = Arena.ofConfined()) {
      TinyGguf.metadata()
          .tensor("blk.0.attn_q.weight", Tensor.ofFloats(arena, weights, rows, columns))
          .tensor("blk.0.attn_norm.weight", Tensor.ofFloats(arena, norm, columns))
          .write(file);
    }
    return file;
  }
}
