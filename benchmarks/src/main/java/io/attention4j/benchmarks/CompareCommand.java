package io.attention4j.benchmarks;

import io.attention4j.benchmarks.kernel.AttentionCase;
import io.attention4j.benchmarks.kernel.AttentionProblem;
import io.attention4j.benchmarks.kernel.KernelVersion;
import io.attention4j.benchmarks.measure.Statistics;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.spi.DeviceOptions;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code attention4j-bench compare}. */
@Command(
    name = "compare",
    sortOptions = false,
    description = {
      "Compares two builds of kernels-cpu on attention, in one JVM and in turns, which tells 1%"
          + " apart beside busy neighbours. With -t 1 it counts processor time. Prefill is F32,"
          + " decode F16 with groups of 4 heads.",
      ""
    })
final class CompareCommand implements Callable<Integer> {
  private enum Kind {
    FULL,
    CAUSAL,
    SIGMOID,
    SPARSE,
    DECODE
  }

  private static final double SPARSITY = 0.75;
  private static final int DECODE_GROUP = 4;
  private static final ThreadMXBean CLOCK = ManagementFactory.getThreadMXBean();

  @Spec private CommandSpec spec;
  @Mixin private BenchOptions options;

  @Option(
      names = "--old",
      required = true,
      paramLabel = "CLASSPATH",
      description = "Classes of kernels-cpu, such as a copy of its target/classes.")
  private String oldClasses;

  @Option(names = "--new", required = true, paramLabel = "CLASSPATH", description = "The others.")
  private String newClasses;

  @Option(
      names = "--kinds",
      split = ",",
      defaultValue = "full,causal,sigmoid",
      description = "Of ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.")
  private List<Kind> kinds;

  @Option(names = "--heads", defaultValue = "8", description = "Default: ${DEFAULT-VALUE}.")
  private int heads;

  @Option(
      names = "--dims",
      split = ",",
      defaultValue = "64,128",
      description = "Elements of a head. Default: ${DEFAULT-VALUE}.")
  private List<Integer> dims;

  @Option(
      names = "--lengths",
      split = ",",
      defaultValue = "512",
      description = "Tokens. Default: ${DEFAULT-VALUE}.")
  private List<Integer> lengths;

  @Option(
      names = "--seconds",
      defaultValue = "3",
      description = "Time of a case, after as much for the JIT. Default: ${DEFAULT-VALUE}.")
  private double seconds;

  @Override
  public Integer call() throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    String id = options.kernels().equals("auto") ? "cpu.simd" : options.kernels();
    DeviceOptions device = new DeviceOptions(options.threads());
    try (KernelVersion older = new KernelVersion(oldClasses, id, device);
        KernelVersion newer = new KernelVersion(newClasses, id, device)) {
      out.println(
          "kind     D     N |  old ms min  median |  new ms min  median | old/new min  median");
      for (Kind kind : kinds) {
        for (int dim : dims) {
          for (int length : lengths) {
            compare(kind, dim, length, older, newer, out);
          }
        }
      }
    }
    return 0;
  }

  private AttentionCase attention(Kind kind, int dim, int length) {
    AttentionCase prefill = AttentionCase.prefill(heads, dim, length, kind == Kind.CAUSAL);
    return switch (kind) {
      case FULL, CAUSAL -> prefill;
      case SIGMOID -> prefill.sigmoid();
      case SPARSE -> prefill.sparse(SPARSITY);
      case DECODE ->
          AttentionCase.decode(DECODE_GROUP * heads, heads, dim, KvFormat.F16, List.of(length));
    };
  }

  private void compare(
      Kind kind, int dim, int length, KernelVersion older, KernelVersion newer, PrintWriter out) {
    AttentionCase attention = attention(kind, dim, length);
    try (AttentionProblem a = new AttentionProblem(older.kernels(), attention);
        AttentionProblem b = new AttentionProblem(newer.kernels(), attention)) {
      List<AttentionProblem> sides = List.of(a, b);
      boolean processorTime = older.kernels().device().threads() == 1;
      rounds(sides, processorTime);
      double[][] times = rounds(sides, processorTime);
      double leastOld = Arrays.stream(times[0]).min().orElseThrow();
      double leastNew = Arrays.stream(times[1]).min().orElseThrow();
      out.printf(
          "%-7s %3d %5d | %10.3f %8.3f | %10.3f %8.3f | %10.3f %8.3f   %.1f GFLOP/s%n",
          kind,
          dim,
          length,
          leastOld / 1e6,
          Statistics.median(times[0]) / 1e6,
          leastNew / 1e6,
          Statistics.median(times[1]) / 1e6,
          leastOld / leastNew,
          Statistics.medianOfRatios(times[0], times[1]),
          attention.flops() / leastNew);
      out.flush();
    }
  }

  /** Nanoseconds of each side in each round; who begins alternates. */
  private double[][] rounds(List<AttentionProblem> sides, boolean processorTime) {
    double[][] times = new double[2][16];
    long end = System.nanoTime() + (long) (seconds * 1e9);
    int round = 0;
    for (; round < 3 || System.nanoTime() < end; round++) {
      for (int i = 0; i < 2; i++) {
        int side = (round + i) % 2;
        if (round == times[side].length) {
          times[side] = Arrays.copyOf(times[side], 2 * round);
        }
        long start = now(processorTime);
        sides.get(side).run();
        times[side][round] = now(processorTime) - start;
      }
    }
    return new double[][] {Arrays.copyOf(times[0], round), Arrays.copyOf(times[1], round)};
  }

  private static long now(boolean processorTime) {
    return processorTime ? CLOCK.getCurrentThreadCpuTime() : System.nanoTime();
  }
}
