package io.attention4j.benchmarks;

import io.attention4j.benchmarks.measure.Bench;
import io.attention4j.benchmarks.measure.Rounds;
import io.attention4j.benchmarks.report.Report;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.DeviceOptions;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import picocli.CommandLine.Option;

/** Options that the commands share. */
final class BenchOptions {
  private static final int ROUNDS = 7;
  private static final int QUICK_ROUNDS = 3;

  @Option(
      names = {"-t", "--threads"},
      defaultValue = "0",
      description = "Compute threads of every side; 0 = physical cores.")
  private int threads;

  @Option(
      names = "--kernels",
      paramLabel = "ID",
      defaultValue = "auto",
      description = "Kernel provider. Default: ${DEFAULT-VALUE}.")
  private String kernels;

  @Option(
      names = "--rounds",
      defaultValue = "0",
      description = "Interleaved rounds; 0 = " + ROUNDS + ", or " + QUICK_ROUNDS + " with --quick.")
  private int rounds;

  @Option(names = "--quick", description = "Fewer sizes, fewer rounds, less warm-up.")
  private boolean quick;

  @Option(
      names = "--report",
      paramLabel = "DIR",
      description = "Also write the tables as Markdown and CSV, and plots as PNG, to this folder.")
  private Path folder;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help.")
  private boolean help;

  boolean quick() {
    return quick;
  }

  int threads() {
    return threads;
  }

  String kernels() {
    return kernels;
  }

  /** Where reports go, or null. */
  Path folder() {
    return folder;
  }

  KernelSelector openKernels() {
    return KernelSelector.open(kernels, new DeviceOptions(threads));
  }

  /** Measures with these kernels; progress goes to stderr. */
  Bench bench(KernelSelector opened) {
    int count = rounds == 0 ? (quick ? QUICK_ROUNDS : ROUNDS) : rounds;
    Rounds how =
        new Rounds(
            count,
            Duration.ofMillis(quick ? 300 : 1000),
            Duration.ofSeconds(quick ? 2 : 10),
            Duration.ofMillis(10));
    return new Bench(
        opened,
        how,
        Duration.ofMillis(quick ? 20 : 60),
        Duration.ofMillis(quick ? 50 : 150),
        line -> System.err.println("measuring " + line));
  }

  void publish(Report report, PrintWriter out) throws IOException {
    report.print(out);
    if (folder != null) {
      report.write(folder);
      out.println();
      out.println("written to " + folder.resolve(report.id() + ".md"));
      out.flush();
    }
  }
}
