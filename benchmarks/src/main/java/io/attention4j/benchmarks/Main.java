package io.attention4j.benchmarks;

import io.attention4j.llm.format.ModelFormatException;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.util.Arrays;
import picocli.CommandLine;

/**
 * {@code attention}, {@code compare}, {@code decode}, {@code linear}, {@code sparse}, {@code
 * offload}, {@code quality}, {@code kv-quality} and {@code mqar} print tables, {@code patterns}
 * draws; every other first argument goes to JMH, which runs the benchmarks of this module.
 */
public final class Main {
  private Main() {}

  /**
   * Runs what the arguments select and, unless that is JMH, ends the JVM with its status.
   *
   * @throws IOException if JMH cannot read its list of benchmarks or write a report
   */
  public static void main(String[] args) throws IOException {
    Object command =
        switch (args.length == 0 ? "" : args[0]) {
          case "attention" -> new AttentionCommand();
          case "compare" -> new CompareCommand();
          case "decode" -> new DecodeCommand();
          case "kv-quality" -> new KvQualityCommand();
          case "kv-speed" -> new KvSpeedCommand();
          case "linear" -> new LinearCommand();
          case "mqar" -> new MqarCommand();
          case "offload" -> new OffloadCommand();
          case "sparse" -> new SparseCommand();
          case "quality" -> new QualityCommand();
          case "patterns" -> new PatternsCommand();
          default -> null;
        };
    if (command == null) {
      org.openjdk.jmh.Main.main(args);
      return;
    }
    CommandLine line = new CommandLine(command);
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setOut(new PrintWriter(new OutputStreamWriter(System.out, System.out.charset())));
    line.setExecutionExceptionHandler(
        (exception, _, _) -> {
          if (isForPeople(exception)) {
            System.err.println("attention4j-bench: " + exception.getMessage());
          } else {
            exception.printStackTrace();
          }
          return 1;
        });
    System.exit(line.execute(Arrays.copyOfRange(args, 1, args.length)));
  }

  /** Whether the message alone says what is wrong; everything else is a bug of ours. */
  private static boolean isForPeople(Exception exception) {
    return exception instanceof IllegalArgumentException
        || exception instanceof IllegalStateException
        || exception instanceof IOException
        || exception instanceof UncheckedIOException
        || exception instanceof ModelFormatException;
  }
}
