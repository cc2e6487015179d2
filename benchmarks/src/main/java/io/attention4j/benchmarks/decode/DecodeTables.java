package io.attention4j.benchmarks.decode;

import io.attention4j.benchmarks.report.BarChart;
import io.attention4j.benchmarks.report.Column;
import io.attention4j.benchmarks.report.Table;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The tables and plots of {@link DecodeSuite}. */
final class DecodeTables {
  /**
   * A row of decoding; rates are per second, and what was not measured is null.
   *
   * @param bytes that a token must at least read
   * @param share of the read probe
   * @param overExplained time of a token over that at depth 0 plus what the added keys and values
   *     explain
   */
  record Decoded(
      String model,
      int depth,
      double bytes,
      double tokens,
      double readProbe,
      double share,
      Double overExplained,
      Double peerTokens,
      Double overPeer) {}

  /** A row of prefill; rates are per second, and what was not measured is null. */
  record Prefilled(
      String model,
      double tokens,
      double flops,
      double fmaPeak,
      double share,
      Double peerTokens,
      Double overPeer) {}

  private final boolean beside;
  private final Table decode;
  private final Table prefill;
  private final BarChart decodeChart;
  private final BarChart prefillChart;

  DecodeTables(boolean besideLlamaCpp, int promptTokens) {
    beside = besideLlamaCpp;
    decode =
        new Table(
            "decode",
            "Decoding, one sequence, greedy",
            columns(
                Column.of("model"),
                Column.of("depth"),
                new Column("GB/token", 3),
                new Column("ours tok/s", 2),
                new Column("ours GB/s", 1),
                new Column("read probe GB/s", 1),
                new Column("ours / probe", 3),
                new Column("time / explained", 2)));
    decode.note(
        "GB/token counts the weights once and the keys and values seen. Time / explained divides a"
            + " token's time by the sum of its time at depth 0 and max(added bytes / read probe,"
            + " added operations / FMA peak).");
    prefill =
        new Table(
            "prefill-models",
            "Prefill of " + promptTokens + " tokens",
            columns(
                Column.of("model"),
                new Column("ours tok/s", 1),
                new Column("ours GFLOP/s", 1),
                new Column("FMA peak GFLOP/s", 1),
                new Column("ours / peak", 3)));
    prefill.note("GFLOP/s counts 2 operations per weight and token, and the attention.");
    decodeChart = new BarChart("decode", decode.title(), "tokens/s");
    prefillChart = new BarChart("prefill-models", prefill.title(), "tokens/s");
  }

  private List<Column> columns(Column... ours) {
    List<Column> columns = new ArrayList<>(List.of(ours));
    if (beside) {
      columns.add(new Column("llama.cpp tok/s", 2));
      columns.add(new Column("ours / llama.cpp", 2));
    }
    return columns;
  }

  void addDecode(Decoded row) {
    List<Object> cells = new ArrayList<>();
    cells.add(row.model());
    cells.add(row.depth());
    cells.add(row.bytes() / 1e9);
    cells.add(row.tokens());
    cells.add(row.bytes() * row.tokens() / 1e9);
    cells.add(row.readProbe() / 1e9);
    cells.add(row.share());
    cells.add(row.overExplained());
    addPeer(cells, row.peerTokens(), row.overPeer());
    decode.add(cells.toArray());
    String label = row.model() + (row.depth() == 0 ? "" : " depth " + row.depth());
    Map<String, Double> bars = bars(row.tokens(), row.peerTokens());
    bars.put("read probe / bytes", row.readProbe() / row.bytes());
    decodeChart.add(label, bars);
  }

  void addPrefill(Prefilled row) {
    List<Object> cells = new ArrayList<>();
    cells.add(row.model());
    cells.add(row.tokens());
    cells.add(row.flops() / 1e9);
    cells.add(row.fmaPeak() / 1e9);
    cells.add(row.share());
    addPeer(cells, row.peerTokens(), row.overPeer());
    prefill.add(cells.toArray());
    Map<String, Double> bars = bars(row.tokens(), row.peerTokens());
    bars.put("FMA peak / operations", row.fmaPeak() / row.flops() * row.tokens());
    prefillChart.add(row.model(), bars);
  }

  private void addPeer(List<Object> cells, Double tokens, Double ratio) {
    if (beside) {
      cells.add(tokens);
      cells.add(ratio);
    }
  }

  private static Map<String, Double> bars(double ours, Double peer) {
    Map<String, Double> bars = new LinkedHashMap<>();
    bars.put("attention4j", ours);
    if (peer != null) {
      bars.put("llama.cpp", peer);
    }
    return bars;
  }

  Table decode() {
    return decode;
  }

  Table prefill() {
    return prefill;
  }

  BarChart decodeChart() {
    return decodeChart;
  }

  BarChart prefillChart() {
    return prefillChart;
  }
}
