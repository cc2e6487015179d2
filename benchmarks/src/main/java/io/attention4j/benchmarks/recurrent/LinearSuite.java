package io.attention4j.benchmarks.recurrent;

import io.attention4j.benchmarks.kernel.AttentionCase;
import io.attention4j.benchmarks.kernel.AttentionProblem;
import io.attention4j.benchmarks.measure.Bench;
import io.attention4j.benchmarks.measure.Contender;
import io.attention4j.benchmarks.measure.Header;
import io.attention4j.benchmarks.measure.Measured;
import io.attention4j.benchmarks.measure.Probes;
import io.attention4j.benchmarks.measure.Rounds;
import io.attention4j.benchmarks.measure.TimedLoop;
import io.attention4j.benchmarks.report.BarChart;
import io.attention4j.benchmarks.report.Column;
import io.attention4j.benchmarks.report.Report;
import io.attention4j.benchmarks.report.Table;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** The tables of linear operators. */
public final class LinearSuite {
  /** Its tables; each takes up to some minutes. */
  public enum Part {
    /** Chunked prefill beside the FMA peak. */
    PREFILL,
    /** Decoding after contexts of growing length. */
    DECODE,
    /** Decoding of states of growing size. */
    STATES,
    /** Prefill beside softmax. */
    CROSSOVER
  }

  /** Decoding after one context; contexts take turns on the same memory. */
  private record After(ScanProblem problem, float[] state, Contender steps) implements Contender {
    @Override
    public String name() {
      return steps.name();
    }

    @Override
    public double sampleSeconds() {
      problem.restore(state);
      return steps.sampleSeconds();
    }
  }

  /**
   * How much longer than others scans warm up: they are many small methods, and what the JIT
   * compiles last decides.
   */
  private static final int WARM_UPS = 4;

  /** Tokens of one call where a long context is run up. */
  private static final int PIECE = 4096;

  /** From the first level of caches to memory, at 128 elements 0.5 to 134 MB. */
  private static final int[] STATE_HEADS = {8, 64, 512, 2048};

  private final int heads;
  private final int dim;
  private final int tokens;
  private final List<Integer> contexts;
  private final List<Integer> lengths;

  /**
   * A suite.
   *
   * @param tokens of prefill
   * @param contexts tokens before a decoded one, ascending
   * @param lengths of the sequences beside softmax
   */
  public LinearSuite(
      int heads, int dim, int tokens, List<Integer> contexts, List<Integer> lengths) {
    if (heads < 1 || dim < 1 || tokens < 1) {
      throw new IllegalArgumentException(
          "heads " + heads + ", dim " + dim + " and tokens " + tokens + " must be at least 1");
    }
    this.heads = heads;
    this.dim = dim;
    this.tokens = tokens;
    this.contexts = List.copyOf(contexts);
    this.lengths = List.copyOf(lengths);
  }

  /**
   * Measures.
   *
   * @param parts which tables
   */
  public Report run(Bench bench, Set<Part> parts) {
    List<String> header = Header.lines(bench, List.of());
    List<Table> tables = new ArrayList<>();
    List<BarChart> charts = new ArrayList<>();
    for (Part part : EnumSet.copyOf(parts)) {
      switch (part) {
        case PREFILL -> prefill(bench, tables, charts);
        case DECODE -> decode(bench, tables, charts);
        case STATES -> states(bench, tables, charts);
        case CROSSOVER -> crossover(bench, tables, charts);
      }
    }
    String id =
        parts.size() == Part.values().length
            ? "linear"
            : "linear-" + String.join("-", tables.stream().map(LinearSuite::suffix).toList());
    return new Report(id, "Linear operators", header, tables, charts);
  }

  private static String suffix(Table table) {
    return table.id().substring("linear-".length());
  }

  private static Rounds slowly(Rounds rounds) {
    return new Rounds(
        rounds.rounds(),
        rounds.warmUp().multipliedBy(WARM_UPS),
        rounds.warmUpLimit().multipliedBy(WARM_UPS),
        rounds.pause());
  }

  private static String name(ScanKind kind) {
    return kind.name().toLowerCase(Locale.ROOT);
  }

  private void prefill(Bench bench, List<Table> tables, List<BarChart> charts) {
    Table table =
        new Table(
            "linear-prefill",
            "Chunked prefill, F32, " + heads + " heads of " + dim + ", " + tokens + " tokens",
            List.of(
                Column.of("operator"),
                new Column("tokens/s", 0),
                new Column("GFLOP/s", 1),
                new Column("FMA peak GFLOP/s", 1),
                new Column("of the peak", 3)));
    table.note("GFLOP/s counts the chunked formulas' operations and nothing else the kernel does.");
    BarChart chart = new BarChart("linear-prefill", table.title(), "GFLOP/s");
    for (ScanKind kind : ScanKind.values()) {
      bench.progress().accept("linear prefill " + name(kind));
      try (ScanProblem problem = new ScanProblem(bench.kernels(), kind, heads, dim, tokens)) {
        Measured measured =
            slowly(bench.rounds())
                .measure(
                    List.of(new TimedLoop(name(kind), bench.sample(), problem::run)),
                    List.of(new Probes(bench.kernels()).fmaPeak(bench.probe())));
        double flops = kind.flops(heads, dim, tokens);
        Map<String, Double> bars = new LinkedHashMap<>();
        bars.put("chunked", flops / measured.seconds(0) / 1e9);
        bars.put("FMA peak", measured.probe(0) / 1e9);
        table.add(
            name(kind),
            tokens / measured.seconds(0),
            bars.get("chunked"),
            bars.get("FMA peak"),
            measured.shareOfProbe(0, flops, 0));
        chart.add(name(kind), bars);
        requireFinite(kind, problem);
      }
    }
    tables.add(table);
    charts.add(chart);
  }

  private static void requireFinite(ScanKind kind, ScanProblem problem) {
    if (Float.isNaN(problem.largest())) {
      throw new IllegalStateException(
          "the state of " + kind + " became infinite; its inputs measure nothing");
    }
  }

  private void decode(Bench bench, List<Table> tables, List<BarChart> charts) {
    Table table =
        new Table(
            "linear-decode",
            "Decode, F32, " + heads + " heads of " + dim,
            List.of(
                Column.of("operator"),
                Column.of("context"),
                new Column("us/token", 2),
                new Column("state GB/s", 1),
                new Column("of the first", 3)));
    table.note("state GB/s counts every element once; reading and writing it is twice that.");
    table.note("Contexts take turns on one state's memory; the last column compares neighbours.");
    BarChart chart = new BarChart("linear-decode", table.title(), "us/token");
    for (ScanKind kind : List.of(ScanKind.GLA, ScanKind.GDN, ScanKind.RWKV7)) {
      try (ScanProblem problem = new ScanProblem(bench.kernels(), kind, heads, dim, PIECE)) {
        List<Contender> contenders = new ArrayList<>();
        long seen = 0;
        for (int context : contexts) {
          bench.progress().accept("linear decode " + name(kind) + " after " + context);
          for (; seen + PIECE <= context; seen += PIECE) {
            problem.run();
          }
          for (; seen < context; seen++) {
            problem.step();
          }
          TimedLoop steps = new TimedLoop(String.valueOf(context), bench.sample(), problem::step);
          contenders.add(new After(problem, problem.state(), steps));
        }
        Measured measured = slowly(bench.rounds()).measure(contenders, List.of());
        for (int i = 0; i < contexts.size(); i++) {
          double seconds = measured.seconds(i);
          table.add(
              name(kind),
              contexts.get(i),
              seconds * 1e6,
              ScanKind.stateBytes(heads, dim) / seconds / 1e9,
              1 / measured.speedup(i, 0));
          chart.add(name(kind) + " " + contexts.get(i), Map.of("us/token", seconds * 1e6));
        }
        requireFinite(kind, problem);
      }
    }
    tables.add(table);
    charts.add(chart);
  }

  /** Decoding of ever more heads, until their states no longer fit a cache. */
  private void states(Bench bench, List<Table> tables, List<BarChart> charts) {
    Table table =
        new Table(
            "linear-states",
            "Decode by size of the state, F32, heads of " + dim,
            List.of(
                Column.of("operator"),
                Column.of("heads"),
                new Column("state MB", 1),
                new Column("us/token", 1),
                new Column("read + write GB/s", 1),
                new Column("update GB/s", 1),
                new Column("of the update", 2)));
    table.note(
        "A step reads every element of the state and writes it, and so does the update: a loop"
            + " x = a x + b over as many bytes, in turns with the step. Both count both ways.");
    BarChart chart = new BarChart("linear-states", table.title(), "GB/s");
    for (ScanKind kind : List.of(ScanKind.GLA, ScanKind.GDN)) {
      for (int count : STATE_HEADS) {
        bench.progress().accept("linear decode " + name(kind) + " of " + count + " heads");
        try (ScanProblem problem = new ScanProblem(bench.kernels(), kind, count, dim, 1);
            StateUpdate update = new StateUpdate(count, dim, bench.threads())) {
          Measured measured =
              slowly(bench.rounds())
                  .measure(
                      List.of(
                          new TimedLoop(name(kind), bench.sample(), problem::step),
                          new TimedLoop("update", bench.sample(), update)),
                      List.of());
          double bytes = 2 * ScanKind.stateBytes(count, dim);
          Map<String, Double> bars = new LinkedHashMap<>();
          bars.put("step", bytes / measured.seconds(0) / 1e9);
          bars.put("update", bytes / measured.seconds(1) / 1e9);
          table.add(
              name(kind),
              count,
              bytes / 2 / 1e6,
              measured.seconds(0) * 1e6,
              bars.get("step"),
              bars.get("update"),
              measured.speedup(0, 1));
          chart.add(name(kind) + " " + count, bars);
          requireFinite(kind, problem);
        }
      }
    }
    tables.add(table);
    charts.add(chart);
  }

  private void crossover(Bench bench, List<Table> tables, List<BarChart> charts) {
    Table table =
        new Table(
            "linear-crossover",
            "Prefill beside causal softmax, F32, " + heads + " heads of " + dim,
            List.of(
                Column.of("N"),
                new Column("softmax ms", 2),
                new Column("gla ms", 2),
                new Column("gdn ms", 2),
                new Column("gla / softmax", 2),
                new Column("gdn / softmax", 2)));
    table.note("The last two columns are how many times as fast; above 1 the scan wins.");
    BarChart chart = new BarChart("linear-crossover", table.title(), "us/token");
    for (int length : lengths) {
      bench.progress().accept("linear crossover N=" + length);
      AttentionCase softmax = AttentionCase.prefill(heads, dim, length, true);
      try (AttentionProblem dense = new AttentionProblem(bench.kernels(), softmax);
          ScanProblem gla = new ScanProblem(bench.kernels(), ScanKind.GLA, heads, dim, length);
          ScanProblem gdn = new ScanProblem(bench.kernels(), ScanKind.GDN, heads, dim, length)) {
        Measured measured =
            bench
                .rounds()
                .measure(
                    List.of(
                        new TimedLoop("softmax", bench.sample(), dense::run),
                        new TimedLoop("gla", bench.sample(), gla::run),
                        new TimedLoop("gdn", bench.sample(), gdn::run)),
                    List.of());
        Map<String, Double> bars = new LinkedHashMap<>();
        for (int i = 0; i < 3; i++) {
          bars.put(measured.names().get(i), measured.seconds(i) / length * 1e6);
        }
        table.add(
            length,
            measured.seconds(0) * 1e3,
            measured.seconds(1) * 1e3,
            measured.seconds(2) * 1e3,
            measured.speedup(1, 0),
            measured.speedup(2, 0));
        chart.add(String.valueOf(length), bars);
      }
    }
    tables.add(table);
    charts.add(chart);
  }
}
