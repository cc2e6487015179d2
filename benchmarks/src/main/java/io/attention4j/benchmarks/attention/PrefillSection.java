package io.attention4j.benchmarks.attention;

import io.attention4j.benchmarks.kernel.AttentionCase;
import io.attention4j.benchmarks.kernel.AttentionProblem;
import io.attention4j.benchmarks.measure.Bench;
import io.attention4j.benchmarks.measure.Contender;
import io.attention4j.benchmarks.measure.Measured;
import io.attention4j.benchmarks.measure.Probes;
import io.attention4j.benchmarks.measure.TimedLoop;
import io.attention4j.benchmarks.peer.AttentionPeer;
import io.attention4j.benchmarks.report.BarChart;
import io.attention4j.benchmarks.report.Column;
import io.attention4j.benchmarks.report.Table;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * F32 softmax attention of a sequence over itself, full and causal: as a share of the FMA peak and
 * beside the peers.
 */
final class PrefillSection implements Section {
  private static final String OURS = "attention4j";

  private final int heads;
  private final List<Integer> dims;
  private final List<Integer> lengths;
  private final List<AttentionPeer> peers;

  PrefillSection(int heads, List<Integer> dims, List<Integer> lengths, List<AttentionPeer> peers) {
    this.heads = heads;
    this.dims = dims;
    this.lengths = lengths;
    this.peers = peers;
  }

  @Override
  public Outcome run(Bench bench) {
    List<Column> columns =
        new ArrayList<>(
            List.of(
                Column.of("mask"),
                Column.of("D"),
                Column.of("N"),
                new Column(OURS + " GFLOP/s", 1),
                new Column("FMA peak GFLOP/s", 1),
                new Column("ours / peak", 3)));
    if (!peers.isEmpty()) {
      peers.forEach(peer -> columns.add(new Column(peer.name() + " GFLOP/s", 1)));
      columns.add(Column.of("best peer"));
      columns.add(new Column("ours / best peer", 2));
    }
    Table table = new Table("prefill", "Prefill, softmax, F32, " + heads + " heads", columns);
    table.note(
        "GFLOP/s counts 4 H N^2 D operations, half of it with the causal mask; the best peer is the"
            + " one with the least median time.");
    BarChart chart = new BarChart("prefill", table.title(), "GFLOP/s");
    for (boolean causal : new boolean[] {false, true}) {
      for (int dim : dims) {
        for (int length : lengths) {
          measure(bench, AttentionCase.prefill(heads, dim, length, causal), table, chart);
        }
      }
    }
    return new Outcome(table, chart);
  }

  private void measure(Bench bench, AttentionCase kind, Table table, BarChart chart) {
    String mask = kind.causal() ? "causal" : "full";
    int length = kind.rows();
    bench.progress().accept("prefill " + mask + " D=" + kind.headDim() + " N=" + length);
    List<PeerContender> opened = new ArrayList<>();
    try (AttentionProblem problem = new AttentionProblem(bench.kernels(), kind)) {
      for (AttentionPeer peer : peers) {
        try {
          opened.add(PeerContender.open(peer, problem, bench));
        } catch (IllegalStateException e) {
          table.note(mask + " D=" + kind.headDim() + " N=" + length + ": " + e.getMessage());
        }
      }
      List<Contender> sides = new ArrayList<>();
      sides.add(new TimedLoop(OURS, bench.sample(), problem::run));
      sides.addAll(opened);
      Measured measured =
          bench
              .rounds()
              .measure(sides, List.of(new Probes(bench.kernels()).fmaPeak(bench.probe())));
      addRow(kind, mask, measured, table, chart);
    } finally {
      opened.forEach(PeerContender::close);
    }
  }

  private void addRow(
      AttentionCase kind, String mask, Measured measured, Table table, BarChart chart) {
    double flops = kind.flops();
    Map<String, Double> bars = new LinkedHashMap<>();
    for (int side = 0; side < measured.names().size(); side++) {
      bars.put(measured.names().get(side), flops / measured.seconds(side) / 1e9);
    }
    List<Object> row = new ArrayList<>();
    row.add(mask);
    row.add(kind.headDim());
    row.add(kind.rows());
    row.add(bars.get(OURS));
    row.add(measured.probe(0) / 1e9);
    row.add(measured.shareOfProbe(0, flops, 0));
    if (!peers.isEmpty()) {
      peers.forEach(peer -> row.add(bars.get(peer.name())));
      int best = measured.fastest(1);
      row.add(best < 0 ? null : measured.names().get(best));
      row.add(best < 0 ? null : measured.speedup(0, best));
    }
    table.add(row.toArray());
    bars.put("FMA peak", measured.probe(0) / 1e9);
    chart.add(mask + " " + kind.headDim() + " x " + kind.rows(), bars);
  }
}
