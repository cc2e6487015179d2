package io.attention4j.benchmarks.kv;

import io.attention4j.benchmarks.measure.Bench;
import io.attention4j.benchmarks.measure.Contender;
import io.attention4j.benchmarks.measure.Header;
import io.attention4j.benchmarks.measure.Measured;
import io.attention4j.benchmarks.measure.Probes;
import io.attention4j.benchmarks.measure.TimedLoop;
import io.attention4j.benchmarks.report.BarChart;
import io.attention4j.benchmarks.report.Column;
import io.attention4j.benchmarks.report.Report;
import io.attention4j.benchmarks.report.Table;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The attention of one decoded token in all layers of a model, by KV cache. */
public final class KvSpeed {
  private static final int READ_PROBE = 0;
  private static final int FMA_PROBE = 1;

  private final DecodeShape shape;
  private final List<Side> sides;

  /**
   * A cache to measure.
   *
   * @param cache its option; the first of a list is what the others are compared with
   * @param tokensRead keys that a step must read of the cache on average, by all KV heads of all
   *     layers together, divided by KV heads and layers
   * @param bytesPerKey that the codec stores for the key and the value of a token, or {@link
   *     #ALL_HELD}
   * @param indexBytes that a step reads beside, per KV head and layer, such as the bounds of pages
   * @param indexFlops that this takes, per KV head and layer
   */
  public record Side(
      String cache, double tokensRead, double bytesPerKey, double indexBytes, double indexFlops) {
    /** A step reads all bytes that the cache holds. */
    public static final double ALL_HELD = -1;
  }

  /** Layers of this shape. */
  public KvSpeed(DecodeShape shape, List<Side> sides) {
    this.shape = shape;
    this.sides = List.copyOf(sides);
  }

  /** Measures in turns; holds all caches at once. */
  public Report run(Bench bench) {
    Table table =
        new Table(
            "kv-speed",
            "Attention of one token, "
                + shape.layers()
                + " layers, "
                + shape.queryHeads()
                + " query heads, "
                + shape.kvHeads()
                + " KV heads, D="
                + shape.headDim()
                + ", after "
                + shape.keys()
                + " tokens",
            List.of(
                Column.of("cache"),
                new Column("MiB held", 1),
                new Column("MiB read", 1),
                new Column("ms", 3),
                new Column("bound ms", 3),
                new Column("of the bound", 3),
                new Column("times as fast", 2)));
    table.note(
        "The bound is max(bytes / read bandwidth, operations / FMA peak) of each round: bytes are"
            + " those of the keys and values that the method reads, and of its own index;"
            + " operations are 4 D per query head and key read.");
    List<DecodeLayers> runs = new ArrayList<>();
    BarChart chart = new BarChart("kv-speed", table.title(), "ms");
    try {
      List<Contender> contenders = new ArrayList<>();
      for (Side side : sides) {
        bench.progress().accept("filling " + side.cache);
        DecodeLayers run = new DecodeLayers(bench.kernels(), side.cache, shape);
        runs.add(run);
        contenders.add(new TimedLoop(side.cache, bench.sample(), run::step));
      }
      bench.progress().accept("decode");
      Probes probes = new Probes(bench.kernels());
      Measured measured =
          bench
              .rounds()
              .measure(
                  contenders,
                  List.of(probes.readBandwidth(bench.probe()), probes.fmaPeak(bench.probe())));
      for (int i = 0; i < sides.size(); i++) {
        addRow(measured, i, runs.get(i).bytes(), table, chart);
      }
    } finally {
      runs.forEach(DecodeLayers::close);
    }
    return new Report(
        "kv-speed",
        "Decode attention by KV cache",
        Header.lines(bench, List.of()),
        List.of(table),
        List.of(chart));
  }

  private void addRow(Measured measured, int i, long held, Table table, BarChart chart) {
    Side side = sides.get(i);
    double heads = (double) shape.layers() * shape.kvHeads();
    double bytes =
        side.bytesPerKey == Side.ALL_HELD
            ? held
            : heads * (side.tokensRead * side.bytesPerKey + side.indexBytes);
    double flops =
        4.0 * shape.headDim() * shape.layers() * shape.queryHeads() * side.tokensRead
            + heads * side.indexFlops;
    double bound = Math.max(bytes / measured.probe(READ_PROBE), flops / measured.probe(FMA_PROBE));
    double share =
        measured.median(
            round ->
                Math.max(
                        bytes / measured.probe(READ_PROBE, round),
                        flops / measured.probe(FMA_PROBE, round))
                    / measured.seconds(i, round));
    table.add(
        side.cache,
        held / (double) (1 << 20),
        bytes / (1 << 20),
        measured.seconds(i) * 1e3,
        bound * 1e3,
        share,
        i == 0 ? null : measured.speedup(i, 0));
    chart.add(
        side.cache.replaceAll(":.*?(\\+|$)", "$1"),
        Map.of("measured", measured.seconds(i) * 1e3, "bound", bound * 1e3));
  }
}
