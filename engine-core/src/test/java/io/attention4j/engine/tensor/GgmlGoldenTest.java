package io.attention4j.engine.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Bytes and floats equal GGML's own, see the head of {@code ggml-golden.txt}. */
class GgmlGoldenTest {
  private record Golden(
      String operation, DType dtype, String name, String digest, String decoded, String first) {}

  @TestFactory
  Stream<DynamicTest> equalsGgml() throws IOException {
    return goldens().stream()
        .map(
            golden ->
                DynamicTest.dynamicTest(
                    golden.operation + " " + golden.dtype + " " + golden.name,
                    () -> {
                      if (golden.operation.equals("encode")) {
                        checkEncode(golden);
                      } else {
                        checkDecode(golden);
                      }
                    }));
  }

  /** No block format, and no encoder but the copying one of F32, is left without golden values. */
  @Test
  void coversEveryFormat() throws IOException {
    for (DType dtype : DType.values()) {
      if (dtype.isBlocked()) {
        assertTrue(
            goldens().stream().filter(g -> g.dtype == dtype && isDecode(g)).count() >= 6,
            dtype.name());
      }
      if (RowCodec.of(dtype).canEncode() && dtype != DType.F32) {
        assertTrue(
            goldens().stream().anyMatch(g -> g.dtype == dtype && !isDecode(g)), dtype.name());
      }
    }
  }

  private static boolean isDecode(Golden golden) {
    return golden.operation.equals("decode");
  }

  private static void checkEncode(Golden golden) {
    boolean blocked = golden.dtype.isBlocked();
    float[] values = blocked ? GgmlCases.floats(golden.name) : GgmlCases.roundingEdges();
    byte[] bytes = new byte[(int) golden.dtype.bytes(values.length)];
    RowCodec codec = RowCodec.of(golden.dtype);
    codec.encode(values, 0, MemorySegment.ofArray(bytes), 0, values.length);
    if (!golden.first.equals("-")) {
      byte[] firstBlock = Arrays.copyOf(bytes, golden.dtype.blockBytes());
      assertEquals(golden.first, HexFormat.of().formatHex(firstBlock));
    }
    assertEquals(golden.digest, digest(bytes));
    if (blocked) {
      assertEquals(golden.decoded, digest(decode(golden.dtype, bytes)));
    }
  }

  private static void checkDecode(Golden golden) {
    byte[] bytes =
        golden.dtype.isBlocked() ? GgmlCases.blocks(golden.dtype, golden.name) : allWords();
    float[] values = decode(golden.dtype, bytes);
    if (!golden.first.equals("-")) {
      float[] expected = new float[4];
      String[] numbers = golden.first.split(" ");
      for (int i = 0; i < 4; i++) {
        expected[i] = Float.parseFloat(numbers[i]);
      }
      assertEquals(Arrays.toString(expected), Arrays.toString(Arrays.copyOf(values, 4)));
    }
    assertEquals(golden.digest, digest(values));
  }

  private static byte[] allWords() {
    byte[] bytes = new byte[2 * 65536];
    for (int i = 0; i < 65536; i++) {
      MemorySegment.ofArray(bytes).set(Tensor.SHORT, 2L * i, (short) i);
    }
    return bytes;
  }

  private static float[] decode(DType dtype, byte[] bytes) {
    float[] values = new float[bytes.length / dtype.blockBytes() * dtype.blockSize()];
    RowCodec.of(dtype).decode(MemorySegment.ofArray(bytes), 0, values, 0, values.length);
    return values;
  }

  private static String digest(float[] values) {
    byte[] bytes = new byte[values.length * Float.BYTES];
    for (int i = 0; i < values.length; i++) {
      MemorySegment.ofArray(bytes).set(Tensor.INT, 4L * i, Float.floatToIntBits(values[i]));
    }
    return digest(bytes);
  }

  private static String digest(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  private static List<Golden> goldens() throws IOException {
    List<Golden> goldens = new ArrayList<>();
    try (InputStream stream = GgmlGoldenTest.class.getResourceAsStream("ggml-golden.txt")) {
      String text = new String(stream.readAllBytes(), StandardCharsets.UTF_8);
      for (String line : text.lines().filter(line -> !line.startsWith("#")).toList()) {
        String[] fields = line.split(" ");
        String first = Arrays.stream(fields).skip(5).collect(Collectors.joining(" "));
        goldens.add(
            new Golden(
                fields[0], DType.valueOf(fields[1]), fields[2], fields[3], fields[4], first));
      }
    }
    return goldens;
  }
}
