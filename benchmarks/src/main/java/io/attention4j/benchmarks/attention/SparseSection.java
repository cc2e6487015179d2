package io.attention4j.benchmarks.attention;

import io.attention4j.benchmarks.kernel.AttentionCase;
import io.attention4j.benchmarks.kernel.AttentionProblem;
import io.attention4j.benchmarks.measure.Bench;
import io.attention4j.benchmarks.measure.Contender;
import io.attention4j.benchmarks.measure.Measured;
import io.attention4j.benchmarks.measure.Probes;
import io.attention4j.benchmarks.measure.TimedLoop;
import io.attention4j.benchmarks.report.BarChart;
import io.attention4j.benchmarks.report.Column;
import io.attention4j.benchmarks.report.Table;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Attention to random blocks of 128 rows and keys: what of the work left out is time saved. The
 * ideal is 1 / (1 - sparsity) times as fast as all blocks.
 */
final class SparseSection implements Section {
  private final int heads;
  private final List<Integer> dims;
  private final int length;
  private final List<Double> sparsities;

  SparseSection(int heads, List<Integer> dims, int length, List<Double> sparsities) {
    this.heads = heads;
    this.dims = dims;
    this.length = length;
    this.sparsities = sparsities;
  }

  @Override
  public Outcome run(Bench bench) {
    Table table =
        new Table(
            "sparse",
            "Block-sparse prefill, softmax, F32, "
                + heads
                + " heads, N="
                + length
                + ", blocks of "
                + AttentionCase.BLOCK,
            List.of(
                Column.of("D"),
                new Column("sparsity", 3),
                new Column("ms", 1),
                new Column("dense ms", 1),
                new Column("speed-up", 2),
                new Column("ideal", 2),
                new Column("share of ideal", 3),
                new Column("of FMA peak", 3)));
    BarChart chart = new BarChart("sparse", table.title(), "times as fast as dense");
    for (int dim : dims) {
      measure(bench, dim, table, chart);
    }
    return new Outcome(table, chart);
  }

  private void measure(Bench bench, int dim, Table table, BarChart chart) {
    bench.progress().accept("block-sparse D=" + dim + " N=" + length);
    AttentionCase dense = AttentionCase.prefill(heads, dim, length, false);
    List<AttentionProblem> problems = new ArrayList<>();
    try {
      problems.add(new AttentionProblem(bench.kernels(), dense));
      for (double sparsity : sparsities) {
        problems.add(new AttentionProblem(bench.kernels(), dense.sparse(sparsity)));
      }
      List<Contender> sides = new ArrayList<>();
      for (AttentionProblem problem : problems) {
        sides.add(
            new TimedLoop("sparsity " + problem.kind().sparsity(), bench.sample(), problem::run));
      }
      Measured measured =
          bench
              .rounds()
              .measure(sides, List.of(new Probes(bench.kernels()).fmaPeak(bench.probe())));
      for (int side = 1; side < sides.size(); side++) {
        AttentionCase kind = problems.get(side).kind();
        double ideal = 1 / (1 - kind.sparsity());
        double speedup = measured.speedup(side, 0);
        table.add(
            dim,
            kind.sparsity(),
            measured.seconds(side) * 1e3,
            measured.seconds(0) * 1e3,
            speedup,
            ideal,
            speedup / ideal,
            measured.shareOfProbe(side, kind.flops(), 0));
        Map<String, Double> bars = new LinkedHashMap<>();
        bars.put("measured", speedup);
        bars.put("ideal", ideal);
        chart.add("D=" + dim + " " + table.text(table.rows().size() - 1, 1), bars);
      }
    } finally {
      problems.forEach(AttentionProblem::close);
    }
  }
}
