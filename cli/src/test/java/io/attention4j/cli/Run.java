package io.attention4j.cli;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** What a run of the command gave. */
record Run(int status, String out, String err) {
  private static final int PROCESS_SECONDS = 120;

  /** In this JVM, with nothing on standard input. */
  static Run of(String... args) {
    return withInput(new byte[0], args);
  }

  /** In this JVM. */
  static Run withInput(byte[] input, String... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    InputStream before = System.in;
    System.setIn(new ByteArrayInputStream(input));
    try {
      int status =
          Main.run(
              Main.commandLine(args).setOut(new PrintWriter(out)).setErr(new PrintWriter(err)),
              args);
      return new Run(status, out.toString(), err.toString());
    } finally {
      System.setIn(before);
    }
  }

  static Run withInput(String input, String... args) {
    return withInput(input.getBytes(StandardCharsets.UTF_8), args);
  }

  /** A JVM of its own; descriptor 1 goes where {@code stdout} says. */
  static Run process(ProcessBuilder.Redirect stdout, Path folder, String... args)
      throws IOException, InterruptedException {
    Path err = folder.resolve("stderr");
    Process process =
        new ProcessBuilder(command(args))
            .redirectInput(ProcessBuilder.Redirect.PIPE)
            .redirectOutput(stdout)
            .redirectError(err.toFile())
            .start();
    process.getOutputStream().close();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Run(exit(process), out, Files.readString(err));
  }

  static List<String> command(String... args) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--add-modules=jdk.incubator.vector");
    command.add("--enable-native-access=ALL-UNNAMED");
    command.add("-XX:TieredStopAtLevel=1"); // starts faster, but cpu.simd refuses it
    command.add("-Dattention4j.kernels=cpu.scalar");
    command.add("-cp");
    command.add(
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")));
    command.add(Main.class.getName());
    command.addAll(List.of(args));
    return command;
  }

  static int exit(Process process) throws InterruptedException {
    if (!process.waitFor(PROCESS_SECONDS, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new AssertionError("the process did not end in " + PROCESS_SECONDS + " s");
    }
    return process.exitValue();
  }
}
