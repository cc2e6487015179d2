package io.attention4j.benchmarks.sparse;

import io.attention4j.benchmarks.measure.Bench;
import io.attention4j.benchmarks.measure.Header;
import io.attention4j.benchmarks.measure.Measured;
import io.attention4j.benchmarks.measure.Statistics;
import io.attention4j.benchmarks.report.BarChart;
import io.attention4j.benchmarks.report.Column;
import io.attention4j.benchmarks.report.Report;
import io.attention4j.benchmarks.report.Table;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What one layer costs with each operator, beside dense attention, by length. */
public final class CostSuite {
  private static final long SEED = 42;
  private static final String DENSE = "softmax";

  /** Tokens per block of SeerAttention's gates. */
  private static final int TRUTH_BLOCK = 64;

  /** Where a call of every side is expected to take longer in all, each is called once. */
  private static final double MOST_SECONDS = 20;

  /**
   * What to measure.
   *
   * @param operators options of causal layers; {@code sqrt(N)} in one is the root of the length
   * @param encoders options of bidirectional layers
   * @param decoders options of causal layers that decode
   * @param lengths tokens, ascending
   * @param decodeLengths tokens before the one decoded
   * @param truthLengths tokens of dense attention that gives its largest weights by block too
   * @param codecs of the cache
   * @param heads query and KV heads
   * @param headDim elements of a head
   */
  public record Sizes(
      List<String> operators,
      List<String> encoders,
      List<String> decoders,
      List<Integer> lengths,
      List<Integer> decodeLengths,
      List<Integer> truthLengths,
      List<String> codecs,
      int heads,
      int headDim) {
    /** Checks the ranges. */
    public Sizes {
      for (int length : lengths) {
        requirePositive("lengths", length);
      }
      for (int length : decodeLengths) {
        requirePositive("decode lengths", length);
      }
      for (int length : truthLengths) {
        requirePositive("truth lengths", length);
      }
      requirePositive("heads", heads);
      requirePositive("dim", headDim);
    }

    private static void requirePositive(String what, int value) {
      if (value < 1) {
        throw new IllegalArgumentException(what + ": " + value + " must be at least 1");
      }
    }
  }

  private final Sizes sizes;

  /** A suite. */
  public CostSuite(Sizes sizes) {
    this.sizes = sizes;
  }

  /** Measures; takes minutes, and at the longest lengths as long as dense attention takes. */
  public Report run(Bench bench) {
    List<Table> tables = new ArrayList<>();
    List<BarChart> charts = new ArrayList<>();
    if (!sizes.operators.isEmpty() && !sizes.lengths.isEmpty()) {
      prefill(bench, "causal", true, sizes.operators, tables, charts);
    }
    if (!sizes.encoders.isEmpty() && !sizes.lengths.isEmpty()) {
      prefill(bench, "bidirectional", false, sizes.encoders, tables, charts);
    }
    if (!sizes.decoders.isEmpty() && !sizes.decodeLengths.isEmpty()) {
      decode(bench, tables, charts);
    }
    if (!sizes.truthLengths.isEmpty()) {
      tables.add(truth(bench));
    }
    return new Report(
        "sparse",
        "Cost of sparse attention operators",
        Header.lines(bench, List.of()),
        tables,
        charts);
  }

  private void prefill(
      Bench bench,
      String id,
      boolean causal,
      List<String> options,
      List<Table> tables,
      List<BarChart> charts) {
    Table table =
        new Table(
            "sparse-" + id,
            "One layer, "
                + id
                + ", all rows in one step, "
                + sizes.heads
                + " heads, D="
                + sizes.headDim,
            List.of(
                Column.of("operator"),
                Column.of("cache"),
                Column.of("N"),
                new Column("ms", 2),
                new Column("softmax ms", 2),
                new Column("times as fast", 2),
                new Column("choosing ms", 2),
                new Column("of what is saved", 3)));
    table.note(
        "Choosing is all that is neither attention kernel, merge nor cache; of what is saved: its"
            + " share of softmax's time less the rest of the operator's. Lengths at which a call"
            + " of every operator takes over "
            + Math.round(MOST_SECONDS)
            + " s in all are measured once, warm from the shorter ones.");
    for (String codec : sizes.codecs) {
      BarChart chart =
          new BarChart(
              "sparse-" + id + "-" + codec,
              table.title() + ", " + codec,
              "times as fast as softmax");
      double seconds = 0;
      int before = 0;
      for (int length : sizes.lengths) {
        double growth = before == 0 ? 0 : (double) length / before;
        boolean once = seconds * growth * growth > MOST_SECONDS;
        seconds = measure(bench, length, codec, causal, options, once, table, chart);
        before = length;
      }
      charts.add(chart);
    }
    tables.add(table);
  }

  /** Replaces sqrt(N) by the root of the length. */
  private static String at(String option, int length) {
    return option.replace("sqrt(N)", Long.toString(Math.round(Math.sqrt(length))));
  }

  /** Measures a length; returns the seconds that a call of every side takes. */
  private double measure(
      Bench bench,
      int length,
      String codec,
      boolean causal,
      List<String> options,
      boolean once,
      Table table,
      BarChart chart) {
    double expected = 0;
    bench.progress().accept((causal ? "causal " : "bidirectional ") + codec + " N=" + length);
    List<LayerRun> runs = new ArrayList<>();
    try (LayerData data =
        LayerData.random(
            bench.kernels().device(), length, sizes.heads, sizes.heads, sizes.headDim, SEED)) {
      runs.add(new LayerRun(bench.kernels(), data, DENSE, codec, causal));
      for (String option : options) {
        runs.add(new LayerRun(bench.kernels(), data, at(option, length), codec, causal));
      }
      Map<String, Double> bars = new LinkedHashMap<>();
      Times times = times(bench, runs, LayerRun::prefill, once);
      for (int side = 1; side < runs.size(); side++) {
        double seconds = times.measured.seconds(side);
        double dense = times.measured.seconds(0);
        double choosing = times.choosing[side];
        double saved = dense - (seconds - choosing);
        table.add(
            options.get(side - 1),
            codec,
            length,
            seconds * 1e3,
            dense * 1e3,
            times.measured.speedup(side, 0),
            choosing * 1e3,
            saved > choosing ? choosing / saved : null);
        bars.put(options.get(side - 1), times.measured.speedup(side, 0));
        expected += seconds;
      }
      chart.add("N=" + length, bars);
      return expected + times.measured.seconds(0);
    } finally {
      runs.forEach(LayerRun::close);
    }
  }

  /** What a gate's ground truth costs beside dense attention. */
  private Table truth(Bench bench) {
    Table table =
        new Table(
            "sparse-truth",
            "Dense attention with the largest weight of every two blocks of "
                + TRUTH_BLOCK
                + " tokens, "
                + sizes.heads
                + " heads, D="
                + sizes.headDim
                + ", f32",
            List.of(
                Column.of("N"),
                new Column("dense ms", 2),
                new Column("with largest weights ms", 2),
                new Column("more", 3)));
    for (int length : sizes.truthLengths) {
      bench.progress().accept("truth N=" + length);
      try (TruthCost cost = new TruthCost(bench.kernels(), length, sizes.heads, sizes.headDim)) {
        List<Runnable> sides = List.of(cost::dense, () -> cost.truth(TRUTH_BLOCK));
        double[][] seconds = new double[2][bench.rounds().rounds()];
        sides.forEach(Runnable::run);
        for (int round = 0; round < seconds[0].length; round++) {
          for (int side = 0; side < 2; side++) {
            long start = System.nanoTime();
            sides.get(side).run();
            seconds[side][round] = (System.nanoTime() - start) / 1e9;
          }
        }
        double dense = Statistics.median(seconds[0]);
        double both = Statistics.median(seconds[1]);
        table.add(length, dense * 1e3, both * 1e3, both / dense - 1);
      }
    }
    return table;
  }

  private void decode(Bench bench, List<Table> tables, List<BarChart> charts) {
    Table table =
        new Table(
            "sparse-decode",
            "One layer, one token after N, " + sizes.heads + " heads, D=" + sizes.headDim,
            List.of(
                Column.of("operator"),
                Column.of("cache"),
                Column.of("N"),
                new Column("ms", 3),
                new Column("softmax ms", 3),
                new Column("times as fast", 2)));
    for (String codec : sizes.codecs) {
      BarChart chart =
          new BarChart(
              "sparse-decode-" + codec, table.title() + ", " + codec, "times as fast as softmax");
      for (int length : sizes.decodeLengths) {
        bench.progress().accept("decode " + codec + " N=" + length);
        List<LayerRun> runs = new ArrayList<>();
        try (LayerData data =
            LayerData.random(
                bench.kernels().device(),
                length + 1,
                sizes.heads,
                sizes.heads,
                sizes.headDim,
                SEED)) {
          runs.add(new LayerRun(bench.kernels(), data, DENSE, codec, true));
          for (String option : sizes.decoders) {
            runs.add(new LayerRun(bench.kernels(), data, at(option, length), codec, true));
          }
          Map<String, Double> bars = new LinkedHashMap<>();
          Measured measured = times(bench, runs, LayerRun::decode, false).measured;
          for (int side = 1; side < runs.size(); side++) {
            double speedup = measured.speedup(side, 0);
            table.add(
                sizes.decoders.get(side - 1),
                codec,
                length,
                measured.seconds(side) * 1e3,
                measured.seconds(0) * 1e3,
                speedup);
            bars.put(sizes.decoders.get(side - 1), speedup);
          }
          chart.add("N=" + length, bars);
        } finally {
          runs.forEach(LayerRun::close);
        }
      }
      charts.add(chart);
    }
    tables.add(table);
  }

  @FunctionalInterface
  private interface Work {
    void run(LayerRun run);
  }

  /** Seconds of calls by side and round, and median seconds of choosing by side. */
  private record Times(Measured measured, double[] choosing) {}

  /**
   * A call of every side to warm up, and again until it has run as long as the rounds' warm-up
   * asks, then interleaved rounds; or a single call of every side, since a layer at 131072 tokens
   * takes minutes. Long calls are not repeated within a round.
   */
  private static Times times(Bench bench, List<LayerRun> runs, Work work, boolean once) {
    for (LayerRun run : once ? List.<LayerRun>of() : runs) {
      long start = System.nanoTime();
      do {
        work.run(run);
      } while (System.nanoTime() - start < bench.rounds().warmUp().toNanos());
    }
    int rounds = once ? 1 : bench.rounds().rounds();
    double[][] seconds = new double[runs.size()][rounds];
    double[][] choosing = new double[runs.size()][rounds];
    for (int round = 0; round < rounds; round++) {
      for (int i = 0; i < runs.size(); i++) {
        int side = (round + i) % runs.size();
        LayerRun run = runs.get(side);
        double chosenBefore = run.selectionSeconds();
        long start = System.nanoTime();
        int calls = 0;
        do {
          work.run(run);
          calls++;
        } while (System.nanoTime() - start < bench.sample().toNanos());
        seconds[side][round] = (System.nanoTime() - start) / 1e9 / calls;
        choosing[side][round] = (run.selectionSeconds() - chosenBefore) / calls;
      }
    }
    List<String> names = runs.stream().map(LayerRun::option).toList();
    double[] medians = new double[runs.size()];
    for (int side = 0; side < medians.length; side++) {
      medians[side] = Statistics.median(choosing[side]);
    }
    return new Times(new Measured(names, seconds, new double[0][]), medians);
  }
}
