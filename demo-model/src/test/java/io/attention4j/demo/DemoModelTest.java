package io.attention4j.demo;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DemoModelTest {
  @TempDir Path folder;

  @AfterEach
  void forgetFolder() {
    System.clearProperty(DemoModel.CACHE_PROPERTY);
  }

  @Test
  void copiesTheModelOnceAndRepairsADamagedCopy() throws IOException {
    System.setProperty(DemoModel.CACHE_PROPERTY, folder.toString());
    Path file = DemoModel.file();
    byte[] whole = Files.readAllBytes(file);
    assertEquals(2_755_808, whole.length);
    assertEquals("GGUF", new String(whole, 0, 4, java.nio.charset.StandardCharsets.US_ASCII));

    byte[] damaged = whole.clone();
    damaged[1_000_000] ^= 1;
    Files.write(file, damaged);
    assertArrayEquals(whole, Files.readAllBytes(DemoModel.file()));
    try (var files = Files.list(folder)) {
      assertEquals(List.of(file), files.toList());
    }
  }

  @Test
  void manyThreadsGetTheSameWholeFile() {
    System.setProperty(DemoModel.CACHE_PROPERTY, folder.toString());
    List<Path> files =
        IntStream.range(0, 8).parallel().mapToObj(i -> DemoModel.file()).distinct().toList();
    assertEquals(List.of(folder.resolve("bard-2.5m-Q8_0.gguf")), files);
  }

  @Test
  void namesTheFolderThatCannotBeWritten() throws IOException {
    Path file = Files.writeString(folder.resolve("occupied"), "a file, not a folder");
    System.setProperty(DemoModel.CACHE_PROPERTY, file.toString());
    UncheckedIOException thrown = assertThrows(UncheckedIOException.class, DemoModel::file);
    assertTrue(thrown.getMessage().contains(file.toString()), thrown.getMessage());
  }
}
