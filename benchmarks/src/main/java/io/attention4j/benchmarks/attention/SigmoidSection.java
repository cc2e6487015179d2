package io.attention4j.benchmarks.attention;

import io.attention4j.benchmarks.kernel.AttentionCase;
import io.attention4j.benchmarks.kernel.AttentionProblem;
import io.attention4j.benchmarks.measure.Bench;
import io.attention4j.benchmarks.measure.Measured;
import io.attention4j.benchmarks.measure.Probes;
import io.attention4j.benchmarks.measure.TimedLoop;
import io.attention4j.benchmarks.report.BarChart;
import io.attention4j.benchmarks.report.Column;
import io.attention4j.benchmarks.report.Table;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Sigmoid attention beside our own softmax kernel on the same inputs. */
final class SigmoidSection implements Section {
  private final int heads;
  private final List<Integer> dims;
  private final List<Integer> lengths;

  SigmoidSection(int heads, List<Integer> dims, List<Integer> lengths) {
    this.heads = heads;
    this.dims = dims;
    this.lengths = lengths;
  }

  @Override
  public Outcome run(Bench bench) {
    Table table =
        new Table(
            "sigmoid",
            "Prefill, sigmoid beside softmax, F32, " + heads + " heads",
            List.of(
                Column.of("mask"),
                Column.of("D"),
                Column.of("N"),
                new Column("sigmoid GFLOP/s", 1),
                new Column("softmax GFLOP/s", 1),
                new Column("FMA peak GFLOP/s", 1),
                new Column("sigmoid / softmax", 3),
                new Column("sigmoid / peak", 3)));
    BarChart chart = new BarChart("sigmoid", table.title(), "GFLOP/s");
    for (boolean causal : new boolean[] {false, true}) {
      for (int dim : dims) {
        for (int length : lengths) {
          measure(bench, AttentionCase.prefill(heads, dim, length, causal), table, chart);
        }
      }
    }
    return new Outcome(table, chart);
  }

  private static void measure(Bench bench, AttentionCase kind, Table table, BarChart chart) {
    String mask = kind.causal() ? "causal" : "full";
    bench.progress().accept("sigmoid " + mask + " D=" + kind.headDim() + " N=" + kind.rows());
    try (AttentionProblem sigmoid = new AttentionProblem(bench.kernels(), kind.sigmoid());
        AttentionProblem softmax = new AttentionProblem(bench.kernels(), kind)) {
      Measured measured =
          bench
              .rounds()
              .measure(
                  List.of(
                      new TimedLoop("sigmoid", bench.sample(), sigmoid::run),
                      new TimedLoop("softmax", bench.sample(), softmax::run)),
                  List.of(new Probes(bench.kernels()).fmaPeak(bench.probe())));
      double flops = kind.flops();
      Map<String, Double> bars = new LinkedHashMap<>();
      bars.put("sigmoid", flops / measured.seconds(0) / 1e9);
      bars.put("softmax", flops / measured.seconds(1) / 1e9);
      bars.put("FMA peak", measured.probe(0) / 1e9);
      table.add(
          mask,
          kind.headDim(),
          kind.rows(),
          bars.get("sigmoid"),
          bars.get("softmax"),
          bars.get("FMA peak"),
          measured.speedup(0, 1),
          measured.shareOfProbe(0, flops, 0));
      chart.add(mask + " " + kind.headDim() + " x " + kind.rows(), bars);
    }
  }
}
