package io.attention4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class TokenizeCommandTest {
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
  void idsAreOneArray() {
    Run run = Run.of("tokenize", "ROMEO:\n", "--ids");
    assertEquals("[49,740,792,282]" + System.lineSeparator(), run.out());
  }
}
