package io.attention4j.benchmarks.decode;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/**
 * llama.cpp in a child process, through the npm package node-llama-cpp, which brings builds for
 * several instruction sets and takes the best that runs here. It times itself.
 */
final class LlamaCpp implements TokenEngine {
  private static final String PACKAGE = "node-llama-cpp";
  private static final String VERSION = "3.22.1";
  private static final String SCRIPT = "llama-cpp.mjs";
  private static final long EXIT_SECONDS = 10;

  private final Process process;
  private final Writer commands;
  private final BufferedReader answers;

  private LlamaCpp(Process process) {
    this.process = process;
    this.commands = process.outputWriter(StandardCharsets.UTF_8);
    this.answers = process.inputReader(StandardCharsets.UTF_8);
  }

  /** Name and version of what {@link #start} runs. */
  static String version() {
    return "llama.cpp of " + PACKAGE + " " + VERSION;
  }

  /**
   * Installs the npm package into a folder unless it is there, without its install scripts.
   *
   * @throws IOException if npm is missing or fails; says where its words are
   */
  static void install(Path folder) throws IOException {
    if (Files.isDirectory(folder.resolve("node_modules").resolve(PACKAGE))) {
      return;
    }
    Files.createDirectories(folder);
    Path log = folder.resolve("npm.log");
    Process npm =
        start(
            new ProcessBuilder(
                    "npm",
                    "install",
                    "--prefix",
                    folder.toString(),
                    "--ignore-scripts",
                    "--omit=optional", // the builds for all systems, some 700 MB
                    "--no-audit",
                    "--no-fund",
                    PACKAGE + "@" + VERSION,
                    "@" + PACKAGE + "/" + platform() + "@" + VERSION)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile()));
    if (waitFor(npm) != 0) {
      throw new IOException("npm could not install " + PACKAGE + "; its words are in " + log);
    }
  }

  /** Node's name of this system, with which the packages of builds are named. */
  private static String platform() {
    String system = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    String machine = System.getProperty("os.arch");
    return (system.startsWith("mac") ? "mac" : system.startsWith("windows") ? "win" : system)
        + "-"
        + (machine.equals("amd64") ? "x64" : machine.equals("aarch64") ? "arm64" : machine);
  }

  /**
   * Loads a model.
   *
   * @param folder where {@link #install} was
   * @param tokens most tokens of one command
   * @throws IOException if node is missing, or it or llama.cpp fails; their words went to stderr
   */
  static LlamaCpp start(Path folder, Path model, int threads, int tokens) throws IOException {
    Path script = folder.resolve(SCRIPT);
    try (InputStream source = LlamaCpp.class.getResourceAsStream(SCRIPT)) {
      Files.copy(source, script, StandardCopyOption.REPLACE_EXISTING);
    }
    List<String> command =
        List.of(
            "node",
            script.toString(),
            model.toAbsolutePath().toString(),
            Integer.toString(threads),
            Integer.toString(tokens));
    LlamaCpp engine =
        new LlamaCpp(
            start(new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT)));
    boolean ready = false;
    try {
      engine.expect("ready");
      ready = true;
    } finally {
      if (!ready) {
        engine.close();
      }
    }
    return engine;
  }

  private static Process start(ProcessBuilder builder) throws IOException {
    try {
      return builder.start();
    } catch (IOException e) {
      String program = builder.command().getFirst();
      throw new IOException(
          "llama.cpp needs Node.js with npm, and '" + program + "' does not run: " + e.getMessage(),
          e);
    }
  }

  private static int waitFor(Process process) {
    try {
      return process.waitFor();
    } catch (InterruptedException e) {
      process.destroy();
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while waiting for a process", e);
    }
  }

  @Override
  public String name() {
    return "llama.cpp";
  }

  @Override
  public void fill(int depth) {
    tell("fill " + depth);
    expect("ok");
  }

  @Override
  public double decodeSeconds(int depth, int tokens) {
    tell("decode " + depth + " " + tokens);
    return Double.parseDouble(answer());
  }

  @Override
  public double prefillSeconds(int tokens) {
    tell("prefill " + tokens);
    return Double.parseDouble(answer());
  }

  private void tell(String command) {
    try {
      commands.write(command + "\n");
      commands.flush();
    } catch (IOException e) {
      throw new UncheckedIOException("llama.cpp went away at '" + command + "'", e);
    }
  }

  private void expect(String wanted) {
    String given = answer();
    if (!given.equals(wanted)) {
      throw new IllegalStateException(
          "llama.cpp answered '" + given + "' instead of '" + wanted + "'");
    }
  }

  private String answer() {
    try {
      String line = answers.readLine();
      if (line == null) {
        throw new IllegalStateException(
            "llama.cpp ended with status " + waitFor(process) + "; its words are above");
      }
      return line;
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read llama.cpp's answer", e);
    }
  }

  @Override
  public void close() {
    process.destroy();
    try {
      if (!process.waitFor(EXIT_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
