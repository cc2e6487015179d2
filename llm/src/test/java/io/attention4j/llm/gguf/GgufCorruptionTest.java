package io.attention4j.llm.gguf;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.gguf.TinyGguf.Raw;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class GgufCorruptionTest {
  @TempDir Path folder;

  @Test
  void refusesEveryPrefix() throws IOException {
    Path path = folder.resolve("tiny.gguf");
    TinyGguf.write(path);
    byte[] whole = Files.readAllBytes(path);
    // The writer pads the end; the last byte that a tensor owns is the last of 'k', 144 bytes from
    // its 32-aligned start.
    int needed = whole.length - (160 - 144);
    for (int length = 0; length < needed; length++) {
      Path cut = Files.write(folder.resolve("cut.gguf"), Arrays.copyOf(whole, length));
      try (GgufFile file = GgufFile.open(cut)) {
        fail("opened a prefix of " + length + " of " + whole.length + " bytes: " + file.names());
      } catch (ModelFormatException expected) {
        assertTrue(expected.getMessage().startsWith(cut + ": "), expected.getMessage());
      }
    }
    Path complete = Files.write(folder.resolve("cut.gguf"), Arrays.copyOf(whole, needed));
    try (GgufFile file = GgufFile.open(complete)) {
      assertEquals(5, file.names().size());
    }
  }

  static Stream<Arguments> badFiles() {
    return Stream.of(
        bad("does not start with 'GGUF'", new Raw()),
        bad("does not start with 'GGUF'", new Raw().ascii("GGML").u32(3)),
        bad("Git LFS pointer", new Raw().ascii("version https://git-lfs.github.com/spec/v1\n")),
        bad("big-endian", new Raw().ascii("GGUF").u8(0).u8(0).u8(0).u8(3).u64(0).u64(0)),
        bad("GGUF version 1 ", Raw.header(1, 0, 0)),
        bad("GGUF version 4 ", Raw.header(4, 0, 0)),
        bad("1152921504606846976 tensors", Raw.header(3, 1L << 60, 0)),
        bad("18446744073709551615 tensors", Raw.header(3, -1, 0)),
        bad("1152921504606846976 metadata pairs", Raw.header(3, 0, 1L << 60)),
        bad("'k' at byte", Raw.header(3, 0, 1).string("k").u32(8).u64(1L << 40).data(64)),
        bad("string of 1099511627776 bytes", Raw.header(3, 0, 1).u64(1L << 40).data(64)),
        bad("at most 65536", Raw.header(3, 0, 1).string("k".repeat(65537)).u32(0).u8(0)),
        bad("unknown type 13", Raw.header(3, 0, 1).string("k").u32(13).data(64)),
        bad("array of arrays", Raw.header(3, 0, 1).string("k").u32(9).u32(9).u64(1).data(64)),
        bad("strings follow", Raw.header(3, 0, 1).string("k").u32(9).u32(8).u64(1L << 61).data(64)),
        bad("values of 4", Raw.header(3, 0, 1).string("k").u32(9).u32(4).u64(1L << 62).data(64)),
        bad("values of 8", Raw.header(3, 0, 1).string("k").u32(9).u32(10).u64(-1).data(64)),
        bad(
            "'k' at byte 52 occurs twice",
            Raw.header(3, 0, 2).string("k").u32(0).u8(1).string("k").u32(0).u8(1).data(64)),
        bad(
            "general.alignment is 0",
            Raw.header(3, 0, 1).string("general.alignment").u32(4).u32(0)),
        bad("not a power", Raw.header(3, 0, 1).string("general.alignment").u32(4).u32(48)),
        bad("not a power", Raw.header(3, 0, 1).string("general.alignment").u32(4).u32(1L << 31)),
        bad("should be an integer", Raw.header(3, 0, 1).string("general.alignment").u32(6).u32(32)),
        bad("'t' at byte 90 occurs twice", two("t", 0, "t", 32)),
        bad("overlap", two("t", 0, "u", 0)),
        bad("overlap", two("u", 0, "t", 0)),
        bad("32 bytes before the tensor 'u' belong to no tensor;", two("u", 32, "t", 32)),
        bad(
            "32 bytes before the tensor 'u' belong to no tensor, so the type or shape of 't' is"
                + " not",
            Raw.header(3, 2, 0).tensor("u", 0, 64, 8).tensor("t", 0, 0, 8).data(96)),
        bad("is empty", Raw.header(3, 1, 0).tensor("", 0, 0, 1).data(64)),
        bad("0 dimensions", Raw.header(3, 1, 0).tensor("t", 0, 0).data(64)),
        bad("5 dimensions", Raw.header(3, 1, 0).tensor("t", 0, 0, 1, 1, 1, 1, 1).data(64)),
        bad("extent of 18446744073709551615", Raw.header(3, 1, 0).tensor("t", 0, 0, -1).data(64)),
        bad("exceeds 2^63", Raw.header(3, 1, 0).tensor("t", 0, 0, 1L << 32, 1L << 32).data(64)),
        bad("exceeds 2^63", Raw.header(3, 1, 0).tensor("t", 0, 0, 1L << 61).data(64)),
        bad("multiple of the block size 256", Raw.header(3, 1, 0).tensor("t", 12, 0, 32).data(64)),
        bad("type IQ4_XS", Raw.header(3, 1, 0).tensor("t", 23, 0, 256).data(64)),
        bad("type MXFP4", Raw.header(3, 1, 0).tensor("t", 39, 0, 256).data(64)),
        bad("type Q8_1", Raw.header(3, 1, 0).tensor("t", 9, 0, 256).data(64)),
        bad("type number 4294967295", Raw.header(3, 1, 0).tensor("t", -1, 0, 256).data(64)),
        bad("offset 4,", Raw.header(3, 1, 0).tensor("t", 0, 4, 1).data(64)),
        bad("offset 18446744073709551584", Raw.header(3, 1, 0).tensor("t", 0, -32, 1).data(64)),
        bad("beyond the 64 bytes", Raw.header(3, 1, 0).tensor("t", 0, 64, 1).data(64)),
        bad("beyond", Raw.header(3, 1, 0).tensor("t", 0, Long.MAX_VALUE - 31, 1).data(64)),
        bad("beyond the 64 bytes", Raw.header(3, 1, 0).tensor("t", 0, 32, 9).data(64)),
        bad("beyond the 0 bytes", Raw.header(3, 1, 0).tensor("t", 0, 0, 1)));
  }

  private static Raw two(String first, long firstOffset, String second, long secondOffset) {
    return Raw.header(3, 2, 0)
        .tensor(first, 0, firstOffset, 8)
        .tensor(second, 0, secondOffset, 8)
        .data(64);
  }

  private static Arguments bad(String message, Raw raw) {
    return Arguments.of(message, raw.bytes());
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("badFiles")
  void refusesWithOneSentence(String part, byte[] bytes) throws IOException {
    Path path = Files.write(folder.resolve("bad.gguf"), bytes);
    String message =
        assertThrows(ModelFormatException.class, () -> GgufFile.open(path)).getMessage();
    assertTrue(message.startsWith(path + ": ") && message.contains(part), message);
    assertEquals(-1, message.indexOf('\n'), message);
  }

  @Test
  void aMissingFileAndAFolderAreNamed() {
    Path absent = folder.resolve("absent.gguf");
    assertTrue(
        assertThrows(ModelFormatException.class, () -> GgufFile.open(absent))
            .getMessage()
            .contains("there is no such file"));
    assertTrue(
        assertThrows(ModelFormatException.class, () -> GgufFile.open(folder))
            .getMessage()
            .contains("not a regular file"));
  }

  @Test
  void messagesDoNotCarryControlCharactersOrWholeNames() throws IOException {
    String name = "\u001b[2Jx".repeat(1000);
    byte[] bytes = Raw.header(3, 1, 0).tensor(name, 39, 0, 256).data(64).bytes();
    Path path = Files.write(folder.resolve("bad.gguf"), bytes);
    String message =
        assertThrows(ModelFormatException.class, () -> GgufFile.open(path)).getMessage();
    assertEquals(-1, message.indexOf('\u001b'));
    assertTrue(message.length() < 600, message);
  }

  @Test
  void aFailedOpenLeavesNothingMapped() throws IOException {
    Path maps = Path.of("/proc/self/maps");
    org.junit.jupiter.api.Assumptions.assumeTrue(Files.isReadable(maps), "needs Linux");
    Path path = folder.resolve("unmapped-after-failure.gguf");
    Files.write(path, Raw.header(3, 1, 0).tensor("t", 39, 0, 256).data(64).bytes());
    assertThrows(ModelFormatException.class, () -> GgufFile.open(path));
    String mapped = new String(Files.readAllBytes(maps), StandardCharsets.UTF_8);
    assertEquals(-1, mapped.indexOf("unmapped-after-failure"));
  }
}
