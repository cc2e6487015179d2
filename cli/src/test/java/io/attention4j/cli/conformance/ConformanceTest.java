package io.attention4j.cli.conformance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.DeviceOptions;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ConformanceTest {
  @TempDir private Path folder;
  private String text;

  private Conformance.Summary run(String provider, Path root) throws IOException {
    StringWriter lines = new StringWriter();
    try (KernelSelector kernels = KernelSelector.open(provider, DeviceOptions.DEFAULTS)) {
      Conformance.Summary summary =
          new Conformance(kernels, new PrintWriter(lines, true)).run(root);
      text = lines.toString();
      return summary;
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu.scalar", "cpu.simd"})
  void theOnnxCasesPass(String provider) throws IOException {
    Path onnx =
        Path.of(System.getProperty("attention4j.shared", "../../shared")).resolve("data/onnx");
    if (!Files.isDirectory(onnx)) {
      abort("SKIPPED: the ONNX cases are not at " + onnx.toAbsolutePath().normalize());
    }
    Conformance.Summary summary = run(provider, onnx);
    assertTrue(summary.ok(), text);
    Map<String, Integer> expected = new TreeMap<>();
    expected.putAll(
        Map.of(
            "Attention", 76,
            "FlexAttention", 11,
            "RotaryEmbedding", 8,
            "RMSNormalization", 19,
            "LayerNormalization", 19,
            "Softmax", 7,
            "TensorScatter", 3,
            "Gelu", 4,
            "Swish", 1,
            "SwiGLU", 3));
    expected.putAll(Map.of("LinearAttention", 14, "CausalConvWithState", 13));
    assertEquals(expected, summary.passed(), text);
    String counts = "178 passed, 0 failed, 15 skipped";
    assertTrue(text.endsWith(counts + System.lineSeparator()), text);
    assertTrue(text.contains("qk_matmul_output of 17 cases came from the reference kernels"), text);
  }

  /** Two keys with equal scores: the output is the mean of the values; the second row sees both. */
  private void writeAttention(String name, float secondRow) throws IOException {
    Path dir = Files.createDirectory(folder.resolve(name));
    tensor(dir, "q.bin", 0, 0, 0, 0);
    tensor(dir, "k.bin", 1, 2, 3, 4);
    tensor(dir, "v.bin", 5, 9);
    tensor(dir, "y.bin", 5, secondRow);
    Files.writeString(
        dir.resolve("meta.json"),
        """
        {"op_type": "Attention", "attributes": {"is_causal": 1},
         "inputs": [
          {"slot": "Q", "dtype": "float32", "shape": [1, 1, 2, 2], "file": "q.bin"},
          {"slot": "K", "dtype": "float32", "shape": [1, 1, 2, 2], "file": "k.bin"},
          {"slot": "V", "dtype": "float32", "shape": [1, 1, 2, 1], "file": "v.bin"}],
         "outputs": [{"slot": "Y", "dtype": "float32", "shape": [1, 1, 2, 1], "file": "y.bin"}]}
        """);
  }

  private static void tensor(Path dir, String file, float... values) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(values.length * 4).order(ByteOrder.LITTLE_ENDIAN);
    for (float value : values) {
      bytes.putFloat(value);
    }
    Files.write(dir.resolve(file), bytes.array());
  }

  @Test
  void aRightCasePassesAndOthersAreSkippedByName() throws IOException {
    writeAttention("right", 7);
    Files.writeString(
        Files.createDirectory(folder.resolve("other")).resolve("meta.json"),
        "{\"op_type\": \"TopK\"}");
    Conformance.Summary summary = run("reference", folder);
    assertTrue(summary.ok(), text);
    assertTrue(text.contains("skipped TopK: 1"), text);
    assertTrue(text.endsWith("1 passed, 0 failed, 1 skipped" + System.lineSeparator()), text);
  }

  @Test
  void aWrongCaseFailsWithItsError() throws IOException {
    writeAttention("right", 7);
    writeAttention("wrong", 7.5f);
    Conformance.Summary summary = run("reference", folder);
    assertFalse(summary.ok());
    assertTrue(text.contains("FAILED wrong (Attention): Y has max error 0.5 at element 1"), text);
    assertTrue(text.endsWith("1 passed, 1 failed, 0 skipped" + System.lineSeparator()), text);
  }

  @Test
  void nanIsNoSmallError() throws IOException {
    writeAttention("nan", Float.NaN);
    assertFalse(run("reference", folder).ok());
    assertTrue(text.contains("element 1 is 7.0 instead of NaN"), text);
  }

  @Test
  void anEmptyFolderIsNotOk() throws IOException {
    assertFalse(run("reference", folder).ok());
    assertEquals("0 passed, 0 failed, 0 skipped" + System.lineSeparator(), text);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{", // no JSON
        "{}", // no operator
        "{\"op_type\": \"Softmax\"}", // no input
        "{\"op_type\": \"Softmax\", \"inputs\": [{\"slot\": \"input\", \"dtype\": \"float32\","
            + " \"shape\": [1], \"file\": \"../secret\"}]}",
        "{\"op_type\": \"Softmax\", \"inputs\": [{\"slot\": \"input\", \"dtype\": \"float32\","
            + " \"shape\": [1048576, 1048576], \"file\": \"meta.json\"}]}",
        "{\"op_type\": \"Softmax\", \"inputs\": [{\"slot\": \"input\", \"dtype\": \"float32\","
            + " \"shape\": [-1], \"file\": \"meta.json\"}]}",
        "{\"op_type\": \"Softmax\", \"inputs\": [{\"slot\": \"input\", \"dtype\": \"int4\","
            + " \"shape\": [1], \"file\": \"meta.json\"}]}",
        "{\"op_type\": \"Softmax\", \"inputs\": [{\"slot\": \"input\", \"dtype\": \"float32\","
            + " \"shape\": [1], \"file\": \"missing\"}]}"
      })
  void aBadDescriptionFailsThatCaseAlone(String meta) throws IOException {
    writeAttention("right", 7);
    Files.writeString(Files.createDirectory(folder.resolve("bad")).resolve("meta.json"), meta);
    Conformance.Summary summary = run("reference", folder);
    assertFalse(summary.ok());
    assertTrue(text.contains("FAILED bad"), text);
    assertTrue(text.endsWith("1 passed, 1 failed, 0 skipped" + System.lineSeparator()), text);
  }
}
