package io.attention4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;

class MainTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int execute(String... args) {
    return Main.commandLine()
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err))
        .execute(args);
  }

  @Test
  void helpGoesToStdout() {
    assertEquals(0, execute("--help"));
    assertTrue(out.toString().startsWith("Usage: attention4j"), out.toString());
    assertEquals("", err.toString());
  }

  @Test
  void missingCommandIsWrongUsage() {
    assertEquals(2, execute());
    assertTrue(err.toString().contains("no command; one of"), err.toString());
    assertEquals("", out.toString());
  }

  @Test
  void unknownOptionIsNamed() {
    assertEquals(2, execute("--no-such-option"));
    assertTrue(err.toString().contains("'--no-such-option'"), err.toString());
  }
}
