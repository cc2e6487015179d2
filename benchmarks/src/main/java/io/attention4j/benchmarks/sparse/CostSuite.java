package io.attention4j.benchmarks.sparse;

import io.attention4j.benchmarks.measure.Bench;
import io.attention4j.benchmarks.measure.Header;
import io.attention4j.benchmarks.measure.Measured;
import io.attention4j.benchmarks.measure.Statistics;
import io.attention4j.benchmarks.report.BarChart;
import io.attention4j.benchmarks.report.Report;
import io.attention4j.benchmarks.report.Table;
import java.io.IOException;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** What one layer costs with each operator, beside dense attention, by length. */
public final class CostSuite {
  private static final long SEED = 42;
  static final String DENSE = "softmax";

  /** Tokens per block of SeerAttention's gates. */
  private static final int TRUTH_BLOCK = 64;

  /** Where a call of every side is expected to take longer in all, each is called once. */
  static final double MOST_SECONDS = 20;

  /** Tokens from which a call is not repeated. */
  private static final int ALWAYS_ONCE = 131072;

  private static final DateTimeFormatter MINUTE =
      DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm", Locale.ROOT);

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
   * @param exponentLengths tokens of prefill to whose times of {@code exponents} a power is fitted
   * @param exponents options of causal layers for those
   * @param heads query and KV heads
   * @param headDim elements of a head
   * @param dense where softmax's times come from
   * @param earlier folder with CSV files of earlier runs, whose other rows stay, or null
   */
  public record Sizes(
      List<String> operators,
      List<String> encoders,
      List<String> decoders,
      List<Integer> lengths,
      List<Integer> decodeLengths,
      List<Integer> truthLengths,
      List<String> codecs,
      List<Integer> exponentLengths,
      List<String> exponents,
      int heads,
      int headDim,
      Dense dense,
      Path earlier) {
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
      for (int length : exponentLengths) {
        requirePositive("exponent lengths", length);
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

  /** Where softmax's times come from. */
  public enum Dense {
    /** Measured in turns with the operators. */
    MEASURED,
    /** Measured with one head, times the heads: minutes at the longest lengths. */
    ONE_HEAD,
    /** Those of an earlier run in the folder. */
    EARLIER
  }

  private final Sizes sizes;

  /** A suite. */
  public CostSuite(Sizes sizes) {
    this.sizes = sizes;
  }

  /**
   * Measures; takes minutes, and at the longest lengths as long as dense attention takes.
   *
   * @throws IOException if an earlier CSV file cannot be read
   */
  public Report run(Bench bench) throws IOException {
    List<Table> tables = new ArrayList<>();
    List<BarChart> charts = new ArrayList<>();
    for (boolean causal : new boolean[] {true, false}) {
      Table table = CostTables.prefill(causal, sizes.headDim, sizes.earlier);
      List<String> options = causal ? sizes.operators : sizes.encoders;
      if (!options.isEmpty()) {
        prefill(bench, causal, options, table);
      }
      CostTables.publish(table, tables, charts);
    }
    Table decode = CostTables.decode(sizes.headDim, sizes.earlier);
    if (!sizes.decoders.isEmpty()) {
      decode(bench, decode);
    }
    CostTables.publish(decode, tables, charts);
    Table exponent = CostTables.exponent(sizes.headDim, sizes.earlier);
    if (!sizes.exponents.isEmpty()) {
      exponents(bench, exponent);
    }
    CostTables.fit(exponent);
    CostTables.publish(exponent, tables, new ArrayList<>());
    Table truth = CostTables.truth(TRUTH_BLOCK, sizes.headDim, sizes.earlier);
    if (!sizes.truthLengths.isEmpty()) {
      truth(bench, truth);
    }
    CostTables.publish(truth, tables, new ArrayList<>());
    return new Report(
        "sparse",
        "Cost of sparse attention operators",
        Header.lines(bench, List.of()),
        tables,
        charts);
  }

  private void prefill(Bench bench, boolean causal, List<String> options, Table table) {
    for (String codec : sizes.codecs) {
      double seconds = 0;
      int before = 0;
      for (int length : sizes.lengths) {
        double growth = before == 0 ? 0 : (double) length / before;
        boolean once = seconds * growth * growth > MOST_SECONDS || length >= ALWAYS_ONCE;
        seconds = measure(bench, length, codec, causal, options, once, table);
        before = length;
      }
    }
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
      Table table) {
    double expected = 0;
    bench.progress().accept((causal ? "causal " : "bidirectional ") + codec + " N=" + length);
    List<LayerRun> runs = new ArrayList<>();
    boolean together = sizes.dense == Dense.MEASURED;
    double dense =
        switch (sizes.dense) {
          case MEASURED -> 0;
          case ONE_HEAD -> sizes.heads * oneHead(bench, length, codec, causal);
          case EARLIER -> CostTables.softmaxSeconds(table, codec, sizes.heads, length);
        };
    try (LayerData data =
        LayerData.random(
            bench.kernels().device(), length, sizes.heads, sizes.heads, sizes.headDim, SEED)) {
      if (together) {
        runs.add(new LayerRun(bench.kernels(), data, DENSE, codec, causal));
      }
      for (String option : options) {
        runs.add(new LayerRun(bench.kernels(), data, at(option, length), codec, causal));
      }
      Times times = times(bench, runs, LayerRun::prefill, once);
      int first = together ? 1 : 0;
      dense = together ? times.measured.seconds(0) : dense;
      String from = sizes.dense.name().toLowerCase(Locale.ROOT).replace('_', ' ');
      if (sizes.dense != Dense.EARLIER) {
        table.add(
            DENSE, codec, sizes.heads, length, dense * 1e3, null, null, null, null, from, now());
      }
      for (int side = first; side < runs.size(); side++) {
        double seconds = times.measured.seconds(side);
        double choosing = times.choosing[side];
        double saved = dense - (seconds - choosing);
        table.add(
            options.get(side - first),
            codec,
            sizes.heads,
            length,
            seconds * 1e3,
            dense * 1e3,
            together ? times.measured.speedup(side, 0) : dense / seconds,
            choosing * 1e3,
            saved > choosing ? choosing / saved : null,
            from,
            now());
        expected += seconds;
      }
      return expected + dense;
    } finally {
      runs.forEach(LayerRun::close);
    }
  }

  /** Minute of a row. */
  static String now() {
    return ZonedDateTime.now(ZoneOffset.UTC).format(MINUTE);
  }

  private double oneHead(Bench bench, int length, String codec, boolean causal) {
    try (LayerData data =
            LayerData.random(bench.kernels().device(), length, 1, 1, sizes.headDim, SEED);
        LayerRun run = new LayerRun(bench.kernels(), data, DENSE, codec, causal)) {
      return times(bench, List.of(run), LayerRun::prefill, length >= ALWAYS_ONCE)
          .measured
          .seconds(0);
    }
  }

  /** Prefill alone, without softmax beside it, which would take most of the time. */
  private void exponents(Bench bench, Table table) {
    for (String codec : sizes.codecs) {
      for (int length : sizes.exponentLengths) {
        bench.progress().accept("exponent " + codec + " N=" + length);
        List<LayerRun> runs = new ArrayList<>();
        try (LayerData data =
            LayerData.random(
                bench.kernels().device(), length, sizes.heads, sizes.heads, sizes.headDim, SEED)) {
          for (String option : sizes.exponents) {
            runs.add(new LayerRun(bench.kernels(), data, at(option, length), codec, true));
          }
          Times times = times(bench, runs, LayerRun::prefill, false);
          for (int side = 0; side < runs.size(); side++) {
            double seconds = times.measured.seconds(side);
            CostTables.Counted counted =
                CostTables.routing(sizes.exponents.get(side), length, sizes.heads, sizes.headDim);
            table.add(
                sizes.exponents.get(side),
                codec,
                sizes.heads,
                length,
                seconds * 1e3,
                times.choosing[side] * 1e3,
                counted == null ? null : counted.growing(),
                counted == null ? null : counted.linear(),
                now());
          }
        } finally {
          runs.forEach(LayerRun::close);
        }
      }
    }
  }

  /** What a gate's ground truth costs beside dense attention. */
  private void truth(Bench bench, Table table) {
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
        table.add(sizes.heads, length, dense * 1e3, both * 1e3, both / dense - 1, now());
      }
    }
  }

  private void decode(Bench bench, Table table) {
    for (String codec : sizes.codecs) {
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
          Measured measured = times(bench, runs, LayerRun::decode, false).measured;
          for (int side = 1; side < runs.size(); side++) {
            table.add(
                sizes.decoders.get(side - 1),
                codec,
                sizes.heads,
                length,
                measured.seconds(side) * 1e3,
                measured.seconds(0) * 1e3,
                measured.speedup(side, 0),
                now());
          }
        } finally {
          runs.forEach(LayerRun::close);
        }
      }
    }
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
