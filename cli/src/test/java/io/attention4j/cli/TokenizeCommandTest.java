package io.attention4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.attention4j.demo.DemoModel;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenizeCommandTest {
  @TempDir private Path folder;

  @Test
  void piecesAreOnePerLineWithoutControlCharacters() {
    Run run = Run.withInput("ROMEO:\n", "tokenize", "--special");
    assertEquals(0, run.status(), run.err());
    assertEquals(
        "1020\t<|begin_of_text|>\n49\tR\n740\tOM\n792\tEO\n282\t:\\n\n",
        run.out().replace(System.lineSeparator(), "\n"));
    String escape = Run.of("tokenize", "a\u001b[31m\\").out();
    assertEquals(-1, escape.indexOf(0x1b), escape);
    assertEquals(true, escape.contains("\\u001b"), escape);
  }

  @Test
  void aVocabularyNeedsNoModelThatRuns() throws IOException {
    byte[] bytes = Files.readAllBytes(DemoModel.file());
    String text = new String(bytes, StandardCharsets.ISO_8859_1);
    int at = text.indexOf("llama", text.indexOf("general.architecture"));
    System.arraycopy("mamba".getBytes(StandardCharsets.ISO_8859_1), 0, bytes, at, 5);
    Path file = Files.write(folder.resolve("mamba.gguf"), bytes);
    Run run = Run.of("tokenize", "ROMEO:\n", "--ids", "-m", file.toString());
    assertEquals("[49,740,792,282]" + System.lineSeparator(), run.out(), run.err());
  }

  @Test
  void idsAreOneArray() {
    Run run = Run.of("tokenize", "ROMEO:\n", "--ids");
    assertEquals("[49,740,792,282]" + System.lineSeparator(), run.out());
  }
}
