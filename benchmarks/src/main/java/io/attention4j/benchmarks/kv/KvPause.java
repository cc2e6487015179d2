package io.attention4j.benchmarks.kv;

import io.attention4j.benchmarks.measure.Bench;
import io.attention4j.benchmarks.measure.Header;
import io.attention4j.benchmarks.measure.Statistics;
import io.attention4j.benchmarks.report.Column;
import io.attention4j.benchmarks.report.Report;
import io.attention4j.benchmarks.report.Table;
import java.util.Arrays;
import java.util.List;

/**
 * The longest decoding step of a KV cache: what caches do beside a step's attention, for every step
 * of a long text. Each step's time is the least of several runs, so that what the machine does
 * meanwhile does not count.
 */
public final class KvPause {
  private final DecodeShape shape;
  private final List<String> caches;

  /** Layers of this shape, whose keys are decoded one by one. */
  public KvPause(DecodeShape shape, List<String> caches) {
    this.shape = shape;
    this.caches = List.copyOf(caches);
  }

  /** Measures one cache after the other. */
  public Report run(Bench bench) {
    Table table =
        new Table(
            "kv-pause",
            "Work of the cache beside the attention of a step, "
                + shape.layers()
                + " layers, "
                + shape.kvHeads()
                + " KV heads, D="
                + shape.headDim()
                + ", "
                + shape.keys()
                + " decoded tokens",
            List.of(
                Column.of("cache"),
                new Column("median ms", 3),
                new Column("mean ms", 3),
                new Column("longest ms", 3),
                Column.of("at token"),
                new Column("attention at the end ms", 3),
                new Column("longest step / median", 2)));
    table.note(
        "Least of "
            + bench.rounds().rounds()
            + " runs for every step. Attention: of one more token at the end, the median. Longest"
            + " step: that and the longest work, divided by that and the median work.");
    for (String cache : caches) {
      bench.progress().accept(cache);
      add(bench, cache, table);
    }
    return new Report(
        "kv-pause",
        "Pauses by KV cache",
        Header.lines(bench, List.of()),
        List.of(table),
        List.of());
  }

  private void add(Bench bench, String cache, Table table) {
    double[] least = new double[shape.keys()];
    Arrays.fill(least, Double.POSITIVE_INFINITY);
    for (int round = 0; round < bench.rounds().rounds(); round++) {
      DecodeShape empty =
          new DecodeShape(shape.layers(), shape.queryHeads(), shape.kvHeads(), shape.headDim(), 0);
      try (DecodeLayers layers = new DecodeLayers(bench.kernels(), cache, empty)) {
        for (int token = 0; token < least.length; token++) {
          long start = System.nanoTime();
          layers.store();
          least[token] = Math.min(least[token], (System.nanoTime() - start) * 1e-6);
        }
      }
    }
    double median = Statistics.median(least);
    int worst = 0;
    for (int token = 0; token < least.length; token++) {
      worst = least[token] > least[worst] ? token : worst;
    }
    double attention = attention(bench, cache) - median;
    table.add(
        cache,
        median,
        Arrays.stream(least).average().orElseThrow(),
        least[worst],
        worst + 1,
        attention,
        (attention + least[worst]) / (attention + median));
  }

  private double attention(Bench bench, String cache) {
    double[] seconds = new double[Math.max(20, bench.rounds().rounds())];
    try (DecodeLayers layers = new DecodeLayers(bench.kernels(), cache, shape)) {
      for (int i = -seconds.length; i < seconds.length; i++) {
        long start = System.nanoTime();
        layers.step();
        if (i >= 0) {
          seconds[i] = (System.nanoTime() - start) * 1e-6;
        }
      }
    }
    return Statistics.median(seconds);
  }
}
