package io.attention4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.NoSuchFileException;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Command;

class ErrorsTest {
  @Command(name = "throw")
  private record Thrower(Throwable thrown) implements Callable<Integer> {
    @Override
    public Integer call() throws Exception {
      if (thrown instanceof Error error) {
        throw error;
      }
      throw (Exception) thrown;
    }
  }

  private static Run run(Throwable thrown, String... more) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    CommandLine line = Main.commandLine();
    line.addSubcommand(new Thrower(thrown));
    line.setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
    String[] args = java.util.Arrays.copyOf(more, more.length + 1);
    args[more.length] = "throw";
    return new Run(Main.run(line, args), out.toString(), err.toString());
  }

  private static void sentence(int status, String expected, Throwable thrown) {
    Run run = run(thrown);
    assertEquals(status, run.status());
    assertEquals("attention4j: " + expected + System.lineSeparator(), run.err());
    assertEquals("", run.out());
  }

  @Test
  void errorsOfTheJvmEndAsASentence() {
    Run memory = run(new OutOfMemoryError("Java heap space"));
    assertEquals(1, memory.status());
    assertTrue(memory.err().contains("out of memory (Java heap space)"), memory.err());
    assertEquals(1, memory.err().lines().count());
    Run stack = run(new StackOverflowError());
    assertEquals(1, stack.status());
    assertEquals(1, stack.err().lines().count(), stack.err());
    Run other = run(new AssertionError("never"));
    assertEquals(1, other.status());
    assertTrue(other.err().contains("internal error: "), other.err());
    assertEquals(1, other.err().lines().count(), other.err());
  }

  @Test
  void debugShowsTheTraceOfAnError() {
    assertTrue(run(new StackOverflowError(), "--debug").err().contains("\tat "));
    assertFalse(run(new StackOverflowError()).err().contains("\tat "));
  }

  @Test
  void filesAreNamed() {
    sentence(1, "a.txt: there is no such file", new NoSuchFileException("a.txt"));
    sentence(
        1,
        "a.txt: there is no such file",
        new UncheckedIOException(new NoSuchFileException("a.txt")));
    sentence(
        1,
        "cannot copy (a.txt: there is no such file)",
        new UncheckedIOException("cannot copy", new NoSuchFileException("a.txt")));
  }

  @Test
  void aMessageOfSeveralLinesBecomesOne() {
    sentence(1, "bad data, really", new BadDataException("bad data,\n  really\n"));
    sentence(2, "usage", new IllegalArgumentException("usage"));
  }

  @Test
  void aBugSaysSo() {
    Run run = run(new NullPointerException());
    assertEquals(1, run.status());
    assertTrue(run.err().contains("internal error: java.lang.NullPointerException"), run.err());
    assertTrue(run.err().contains("--debug"), run.err());
  }

  @Test
  void aFailingStandardOutputIsAnErrorUnlessTheReaderLeft() {
    assertEquals(new Run(Errors.BROKEN_PIPE, "", ""), writing("Broken pipe"));
    Run full = writing("No space left on device");
    assertEquals(1, full.status());
    assertEquals(
        "attention4j: cannot write to standard output: No space left on device"
            + System.lineSeparator(),
        full.err());
  }

  private static Run writing(String failure) {
    OutputStream broken =
        new OutputStream() {
          @Override
          public void write(int value) throws IOException {
            throw new IOException(failure);
          }
        };
    StringWriter err = new StringWriter();
    CommandLine line = Main.commandLine();
    line.setOut(new PrintWriter(new StandardOutput(broken))).setErr(new PrintWriter(err));
    return new Run(Main.run(line, "--version"), "", err.toString());
  }
}
