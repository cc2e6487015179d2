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
import io.attention4j.engine.attention.KvFormat;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One new token over a long F16 cache, alone and beside seven short sequences, as a share of what
 * max(bytes / read bandwidth, operations / FMA peak) allows.
 */
final class DecodeSection implements Section {
  private static final int GROUP = 4;
  private static final int SHORT_SEQUENCES = 7;
  private static final int SHORT_KEYS = 512;
  private static final int READ_PROBE = 0;
  private static final int FMA_PROBE = 1;

  private final int kvHeads;
  private final List<Integer> dims;
  private final int keys;

  DecodeSection(int kvHeads, List<Integer> dims, int keys) {
    this.kvHeads = kvHeads;
    this.dims = dims;
    this.keys = keys;
  }

  @Override
  public Outcome run(Bench bench) {
    Table table =
        new Table(
            "decode-attention",
            "Decode, softmax, F16, " + GROUP * kvHeads + " query heads, " + kvHeads + " KV heads",
            List.of(
                Column.of("D"),
                Column.of("keys"),
                new Column("ms", 3),
                new Column("GB/s", 1),
                new Column("GFLOP/s", 1),
                new Column("read probe GB/s", 1),
                new Column("FMA peak GFLOP/s", 1),
                Column.of("bound"),
                new Column("of the bound", 3),
                new Column("of one sequence", 3)));
    table.note(
        "The bound is max(bytes / read bandwidth, operations / FMA peak) of each round. The last"
            + " column is the share of the bound beside that of the long sequence alone.");
    BarChart chart = new BarChart("decode-attention", table.title(), "GB/s");
    for (int dim : dims) {
      measure(bench, dim, table, chart);
    }
    return new Outcome(table, chart);
  }

  private void measure(Bench bench, int dim, Table table, BarChart chart) {
    bench.progress().accept("decode D=" + dim + " keys=" + keys);
    List<Integer> ragged = new ArrayList<>(List.of(keys));
    ragged.addAll(Collections.nCopies(SHORT_SEQUENCES, Math.min(SHORT_KEYS, keys)));
    List<AttentionProblem> problems = new ArrayList<>();
    try {
      for (List<Integer> lengths : List.of(List.of(keys), ragged)) {
        problems.add(
            new AttentionProblem(
                bench.kernels(),
                AttentionCase.decode(GROUP * kvHeads, kvHeads, dim, KvFormat.F16, lengths)));
      }
      List<Contender> sides = new ArrayList<>();
      for (AttentionProblem problem : problems) {
        sides.add(new TimedLoop(problem.kind().keysText(), bench.sample(), problem::run));
      }
      Probes probes = new Probes(bench.kernels());
      Measured measured =
          bench
              .rounds()
              .measure(
                  sides,
                  List.of(probes.readBandwidth(bench.probe()), probes.fmaPeak(bench.probe())));
      double alone = shareOfBound(measured, 0, problems.getFirst().kind());
      for (int side = 0; side < sides.size(); side++) {
        addRow(measured, side, problems.get(side).kind(), alone, table, chart);
      }
    } finally {
      problems.forEach(AttentionProblem::close);
    }
  }

  private static void addRow(
      Measured measured, int side, AttentionCase kind, double alone, Table table, BarChart chart) {
    double seconds = measured.seconds(side);
    double read = measured.probe(READ_PROBE);
    double fma = measured.probe(FMA_PROBE);
    double share = shareOfBound(measured, side, kind);
    table.add(
        kind.headDim(),
        kind.keysText(),
        seconds * 1e3,
        kind.bytes() / seconds / 1e9,
        kind.flops() / seconds / 1e9,
        read / 1e9,
        fma / 1e9,
        kind.bytes() / read >= kind.flops() / fma ? "memory" : "FMA",
        share,
        share / alone);
    Map<String, Double> bars = new LinkedHashMap<>();
    bars.put("attention4j", kind.bytes() / seconds / 1e9);
    bars.put("read probe", read / 1e9);
    chart.add("D=" + kind.headDim() + " " + kind.keysText(), bars);
  }

  private static double shareOfBound(Measured measured, int side, AttentionCase kind) {
    return measured.median(
        round ->
            Math.max(
                    kind.bytes() / measured.probe(READ_PROBE, round),
                    kind.flops() / measured.probe(FMA_PROBE, round))
                / measured.seconds(side, round));
  }
}
