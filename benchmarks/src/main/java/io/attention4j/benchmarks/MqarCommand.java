package io.attention4j.benchmarks;

import io.attention4j.benchmarks.mqar.MqarSuite;
import io.attention4j.benchmarks.report.Report;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code attention4j-bench mqar}. */
@Command(
    name = "mqar",
    sortOptions = false,
    description = {
      "Shows how many of the pairs in a text each attention operator can recall (multi-query"
          + " associative recall), with weights built by hand, beside the size of its state.",
      ""
    })
final class MqarCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--examples",
      defaultValue = "16",
      description = "Examples of a setting. Default: ${DEFAULT-VALUE}.")
  private int examples;

  @Option(
      names = "--seed",
      defaultValue = "0",
      description = "Seed of examples and codes. Default: ${DEFAULT-VALUE}.")
  private long seed;

  @Option(
      names = "--report",
      paramLabel = "DIR",
      description = "Also write the table as Markdown and CSV, and a plot as PNG, to this folder.")
  private Path folder;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help.")
  private boolean help;

  @Override
  public Integer call() throws IOException {
    MqarSuite suite = new MqarSuite(examples, seed, line -> System.err.println("running " + line));
    Report report = suite.run();
    PrintWriter out = spec.commandLine().getOut();
    report.print(out);
    if (folder != null) {
      report.write(folder);
      out.println();
      out.println("written to " + folder.resolve(report.id() + ".md"));
      out.flush();
    }
    return 0;
  }
}
