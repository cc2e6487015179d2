package io.attention4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** What only a process of its own shows: real descriptors and the exit status. */
class ProcessTest {
  @TempDir private Path folder;

  @Test
  void textAndStatusLeaveTheProcess() throws Exception {
    Run run =
        Run.process(
            ProcessBuilder.Redirect.PIPE,
            folder,
            "generate",
            "-p",
            "ROMEO:\n",
            "-n",
            "8",
            "--temperature",
            "0");
    assertEquals(0, run.status(), run.err());
    assertEquals("I'll tell you, sir, to", run.out());
    assertEquals(1, bad("generate", "-p", "x", "-m", folder + "/none.gguf"));
    assertEquals(2, bad("generate", "--no-such-option"));
  }

  private int bad(String... args) throws IOException, InterruptedException {
    Run run = Run.process(ProcessBuilder.Redirect.PIPE, folder, args);
    assertEquals("", run.out());
    assertEquals(1, run.err().lines().filter(line -> line.startsWith("attention4j")).count());
    assertTrue(!run.err().contains("\tat "), run.err());
    return run.status();
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void aReaderThatLeavesEndsItQuietly() throws Exception {
    File err = folder.resolve("stderr").toFile();
    Process process =
        new ProcessBuilder(
                Run.command("generate", "-p", "x", "-n", "0", "--ignore-eos", "-c", "1024"))
            .redirectError(err)
            .start();
    try (BufferedReader reader = process.inputReader()) {
      assertTrue(reader.read() >= 0);
    }
    assertEquals(Errors.BROKEN_PIPE, Run.exit(process));
    assertTrue(
        Files.readAllLines(err.toPath()).stream()
            .allMatch(line -> line.startsWith("WARNING: Using incubator") || line.endsWith("...")),
        () -> "stderr: " + err);
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void aFullDiskIsAnError() throws Exception {
    File full = new File("/dev/full");
    Run run = Run.process(ProcessBuilder.Redirect.to(full), folder, "--help");
    assertEquals(1, run.status());
    assertTrue(run.err().contains("cannot write to standard output"), run.err());
    assertTrue(!run.err().contains("\tat "), run.err());
  }
}
