package io.attention4j.benchmarks.measure;

import io.attention4j.cli.Machine;
import io.attention4j.engine.spi.Device;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.DoubleSupplier;

/** The lines above a report: where and how its numbers were measured. */
public final class Header {
  private static final Duration PROBE = Duration.ofSeconds(1);
  private static final DateTimeFormatter MINUTE =
      DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm 'UTC'", Locale.ROOT);

  private Header() {}

  /**
   * Probes the machine and describes it.
   *
   * @param peers names and versions of the engines beside ours
   */
  public static List<String> lines(Bench bench, List<String> peers) {
    Device device = bench.kernels().device();
    Probes probes = new Probes(bench.kernels());
    List<String> lines = new ArrayList<>();
    lines.add("date      " + ZonedDateTime.now(ZoneOffset.UTC).format(MINUTE));
    lines.add("machine   " + Machine.system() + ", processors " + Machine.processors());
    lines.add(
        String.format(
            Locale.ROOT,
            "memory    %.1f GiB, load average %.1f before the start",
            Machine.memoryBytes() / (double) (1 << 30),
            ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage()));
    lines.add("JDK       " + Machine.jdk());
    lines.add("kernels   " + device.providerId() + ": " + device.description());
    lines.add("threads   " + device.threads() + " for every side");
    lines.add(
        String.format(
            Locale.ROOT,
            "probes    f32 FMA peak %.1f GFLOP/s, read bandwidth %.1f GB/s (best of two times %d s"
                + " each, before the start)",
            best(probes.fmaPeak(PROBE)) / 1e9,
            best(probes.readBandwidth(PROBE)) / 1e9,
            PROBE.toSeconds()));
    lines.add(
        "peers     "
            + (peers.isEmpty() ? "none; give --peers to the launcher" : String.join(", ", peers)));
    lines.add(
        String.format(
            Locale.ROOT,
            "measured  wall time, medians of %d interleaved rounds with probes of %d ms between;"
                + " ratios are medians over neighbours",
            bench.rounds().rounds(),
            bench.probe().toMillis()));
    return lines;
  }

  /** The first time is also for the JIT compiler, which on a busy machine takes most of it. */
  private static double best(DoubleSupplier probe) {
    return Math.max(probe.getAsDouble(), probe.getAsDouble());
  }
}
