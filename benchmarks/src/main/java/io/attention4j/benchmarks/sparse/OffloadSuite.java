package io.attention4j.benchmarks.sparse;

import io.attention4j.benchmarks.measure.Bench;
import io.attention4j.benchmarks.measure.Header;
import io.attention4j.benchmarks.measure.Measured;
import io.attention4j.benchmarks.report.BarChart;
import io.attention4j.benchmarks.report.Column;
import io.attention4j.benchmarks.report.Report;
import io.attention4j.benchmarks.report.Table;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a decoding step of NOSA costs where its keys and values live in a file, beside a cache in
 * memory and beside fetching all that the step reads, as without NOSI.
 */
public final class OffloadSuite {
  private static final long SEED = 42;
  private static final int STEPS = 16;
  private static final double MIB = 1 << 20;

  /**
   * What to measure.
   *
   * @param folder where the file is read past the system's cache; on the disk in question
   * @param rate MiB per second of a simulated slow store
   * @param tokens before the first decoded one
   * @param queryHeads query heads
   * @param kvHeads KV heads
   * @param headDim elements of a head
   */
  public record Sizes(
      Path folder, int rate, int tokens, int queryHeads, int kvHeads, int headDim) {}

  private final Sizes sizes;

  /** A suite. */
  public OffloadSuite(Sizes sizes) {
    this.sizes = sizes;
  }

  private record Side(String store, String fetched, String cache) {}

  private List<Side> sides() {
    String limited = "nosa+f16+offload:direct=no;rate=" + sizes.rate + ";dir=" + sizes.folder;
    String direct = "nosa+f16+offload:direct=yes;dir=" + sizes.folder;
    String slow = sizes.rate + " MiB/s, simulated";
    return List.of(
        new Side("memory", "-", "nosa+f16+memory"),
        new Side(slow, "difference", limited),
        new Side(slow, "all", limited + ";fetch=all"),
        new Side("file, O_DIRECT", "difference", direct),
        new Side("file, O_DIRECT", "all", direct + ";fetch=all"));
  }

  /** Measures; takes about a minute. */
  public Report run(Bench bench) {
    Table table =
        new Table(
            "offload",
            String.format(
                "One layer of nosa, one token after %d and more, f16, %d query heads, %d KV heads,"
                    + " D=%d",
                sizes.tokens, sizes.queryHeads, sizes.kvHeads, sizes.headDim),
            List.of(
                Column.of("store"),
                Column.of("fetched"),
                new Column("ms per step", 2),
                new Column("MiB per step", 2),
                Column.of("most blocks per KV head"),
                new Column("MiB in memory", 1),
                new Column("MiB in file", 1),
                new Column("times as fast as all", 2)));
    table.note(
        "Every query is drawn anew, so the choice changes as much as NOSA allows. Memory and file"
            + " are those of the keys and values; the file is read and written by one thread.");
    BarChart chart = new BarChart("offload", table.title(), "times as fast as fetching all");
    List<OffloadRun> runs = new ArrayList<>();
    try (LayerData data =
        LayerData.random(
            bench.kernels().device(),
            sizes.tokens + STEPS,
            sizes.queryHeads,
            sizes.kvHeads,
            sizes.headDim,
            SEED)) {
      List<Side> sides = sides();
      for (Side side : sides) {
        bench.progress().accept(side.store + ", " + side.fetched);
        runs.add(new OffloadRun(bench.kernels(), data, side.cache, STEPS));
      }
      Measured measured = measure(bench, runs);
      for (int i = 0; i < runs.size(); i++) {
        boolean difference = sides.get(i).fetched.equals("difference");
        Double ratio = difference ? measured.speedup(i, i + 1) : null;
        table.add(
            sides.get(i).store,
            sides.get(i).fetched,
            measured.seconds(i) * 1e3,
            runs.get(i).fetchedBytesPerStep() / MIB,
            runs.get(i).usage().mostFetched(),
            runs.get(i).usage().memoryBytes() / MIB,
            runs.get(i).usage().fileBytes() / MIB,
            ratio);
        if (difference) {
          Map<String, Double> bars = new LinkedHashMap<>();
          bars.put("difference", ratio);
          chart.add(sides.get(i).store, bars);
        }
      }
    } finally {
      runs.forEach(OffloadRun::close);
    }
    return new Report(
        "offload",
        "Cost of a KV cache in a file",
        Header.lines(bench, List.of()),
        List.of(table),
        List.of(chart));
  }

  private static Measured measure(Bench bench, List<OffloadRun> runs) {
    for (OffloadRun run : runs) {
      long start = System.nanoTime();
      do {
        run.stepSeconds();
      } while (System.nanoTime() - start < bench.rounds().warmUp().toNanos());
    }
    double[][] seconds = new double[runs.size()][bench.rounds().rounds()];
    for (int round = 0; round < bench.rounds().rounds(); round++) {
      for (int i = 0; i < runs.size(); i++) {
        int side = (round + i) % runs.size();
        seconds[side][round] = runs.get(side).stepSeconds();
      }
    }
    return new Measured(runs.stream().map(OffloadRun::cache).toList(), seconds, new double[0][]);
  }
}
