package io.attention4j.benchmarks.sparse;

import io.attention4j.benchmarks.measure.PowerLaw;
import io.attention4j.benchmarks.report.BarChart;
import io.attention4j.benchmarks.report.Column;
import io.attention4j.benchmarks.report.Csv;
import io.attention4j.benchmarks.report.Table;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** Tables of {@link CostSuite}, with the rows of earlier runs, and what is drawn from them. */
final class CostTables {
  private static final List<Column> KEYS =
      List.of(Column.of("operator"), Column.of("cache"), Column.of("heads"), Column.of("N"));
  private static final Column MEASURED = Column.of("measured, UTC");
  private static final int MS = 4;
  private static final int TIMES_AS_FAST = 6;

  private CostTables() {}

  static Table prefill(boolean causal, int headDim, Path earlier) throws IOException {
    String id = causal ? "causal" : "bidirectional";
    Table table =
        table(
            "sparse-" + id,
            "One layer, " + id + ", all rows in one step, D=" + headDim,
            earlier,
            new Column("ms", 2),
            new Column("softmax ms", 2),
            new Column("times as fast", 2),
            new Column("choosing ms", 2),
            new Column("of what is saved", 3),
            Column.of("softmax"),
            MEASURED);
    table.note(
        "Choosing is all that is neither attention kernel, merge nor cache; of what is saved: its"
            + " share of softmax's time less the rest of the operator's. Lengths at which a call"
            + " of every operator takes over "
            + Math.round(CostSuite.MOST_SECONDS)
            + " s in all are measured once. softmax: measured in turns with the operator, with one"
            + " head and multiplied, or in an earlier run.");
    return table;
  }

  static Table decode(int headDim, Path earlier) throws IOException {
    return table(
        "sparse-decode",
        "One layer, one token after N, D=" + headDim,
        earlier,
        new Column("ms", 3),
        new Column("softmax ms", 3),
        new Column("times as fast", 2),
        MEASURED);
  }

  static Table exponent(int headDim, Path earlier) throws IOException {
    return table(
        "sparse-exponent",
        "Growth with N: one layer, causal, all rows in one step, D=" + headDim,
        earlier,
        new Column("ms", 2),
        new Column("choosing ms", 2),
        new Column("GFLOP of N^1.5", 3),
        new Column("GFLOP of N", 3),
        MEASURED);
  }

  static Table truth(int block, int headDim, Path earlier) throws IOException {
    return withEarlier(
        new Table(
            "sparse-truth",
            "Dense attention with the largest weight of every two blocks of "
                + block
                + " tokens, D="
                + headDim
                + ", f32",
            2,
            List.of(
                Column.of("heads"),
                Column.of("N"),
                new Column("dense ms", 2),
                new Column("with largest weights ms", 2),
                new Column("more", 3),
                MEASURED)),
        earlier);
  }

  private static Table table(String id, String title, Path earlier, Column... values)
      throws IOException {
    List<Column> columns = new ArrayList<>(KEYS);
    columns.addAll(List.of(values));
    return withEarlier(new Table(id, title, KEYS.size(), columns), earlier);
  }

  private static Table withEarlier(Table table, Path folder) throws IOException {
    Path file = folder == null ? null : folder.resolve(table.id() + ".csv");
    if (file != null && Files.exists(file)) {
      table.addEarlier(Csv.read(file));
    }
    return table;
  }

  /** Seconds of softmax in a row of an earlier run. */
  static double softmaxSeconds(Table table, String codec, int heads, int length) {
    List<Object> keys = List.of(CostSuite.DENSE, codec, heads, length);
    return table.rows().stream()
            .filter(row -> row.subList(0, KEYS.size()).equals(keys))
            .mapToDouble(row -> (Double) row.get(MS))
            .reduce((_, last) -> last)
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        table.id()
                            + ".csv has no softmax of "
                            + codec
                            + ", "
                            + heads
                            + " heads, N="
                            + length
                            + "; measure it, with --softmax measured or one_head"))
        / 1e3;
  }

  /** Sorts a table with rows, keeps the last of those with the same keys, and draws it. */
  static void publish(Table table, List<Table> tables, List<BarChart> charts) {
    table.keepLast();
    if (table.rows().isEmpty()) {
      return;
    }
    tables.add(table);
    if (table.keys() != KEYS.size()) {
      return;
    }
    table.sort(
        Comparator.comparing((List<Object> row) -> (String) row.get(1))
            .thenComparing(row -> (Integer) row.get(2))
            .thenComparing(row -> (Integer) row.get(3)));
    Map<String, TreeMap<Integer, Map<String, Double>>> bars = new LinkedHashMap<>();
    for (List<Object> row : table.rows()) {
      if (row.get(TIMES_AS_FAST) instanceof Double times) {
        String drawn = row.get(1) + "-" + row.get(2);
        bars.computeIfAbsent(drawn, _ -> new TreeMap<>())
            .computeIfAbsent((Integer) row.get(3), _ -> new LinkedHashMap<>())
            .put((String) row.get(0), times);
      }
    }
    bars.forEach(
        (drawn, lengths) -> {
          String title = table.title() + ", " + drawn.replace("-", ", ") + " heads";
          BarChart chart =
              new BarChart(table.id() + "-" + drawn, title, "times as fast as softmax");
          lengths.forEach((length, values) -> chart.add("N=" + length, values));
          charts.add(chart);
        });
  }

  /**
   * Operations that a step counts.
   *
   * @param growing similarities with centroids and attention within clusters, in GFLOP
   * @param linear normalising, gathering and averaging, in GFLOP
   */
  record Counted(double growing, double linear) {}

  /** What routing with sqrt(N) clusters of sqrt(N) tokens computes, or null for other operators. */
  static Counted routing(String option, int length, int heads, int headDim) {
    if (!option.equals("routing:clusters=sqrt(N);tokens=sqrt(N)")) {
      return null;
    }
    double root = Math.round(Math.sqrt(length));
    double similarities = 2 * 2.0 * length * root * headDim; // of queries and of keys
    double pairs = root * root * root / 2; // half of a cluster's are later keys
    double attention = 4 * pairs * headDim;
    // Length and scale of queries and keys; sum and division of outputs.
    double linear = length * (2 * 3.0 + 2) * headDim;
    return new Counted(heads * (similarities + attention) / 1e9, heads * linear / 1e9);
  }

  /** Notes the exponent of every operator, cache and number of heads. */
  static void fit(Table table) {
    Map<List<Object>, Map<Integer, List<Object>>> groups = new LinkedHashMap<>();
    for (List<Object> row : table.rows()) {
      groups
          .computeIfAbsent(row.subList(0, 3), _ -> new TreeMap<>())
          .put((Integer) row.get(3), row);
    }
    groups.forEach(
        (group, rows) -> {
          if (rows.size() < 3) {
            return;
          }
          double[] n = rows.keySet().stream().mapToDouble(Integer::doubleValue).toArray();
          List<String> fits = new ArrayList<>();
          for (int column : new int[] {MS, MS + 1}) {
            double[] ms =
                rows.values().stream().mapToDouble(row -> (Double) row.get(column)).toArray();
            PowerLaw fit = PowerLaw.fit(n, ms);
            double last =
                Math.log(ms[ms.length - 1] / ms[ms.length - 2])
                    / Math.log(n[n.length - 1] / n[n.length - 2]);
            fits.add(
                String.format(
                    Locale.ROOT,
                    "N^%.2f +- %.2f (95%%, %d lengths; N^%.2f in the last step)",
                    fit.exponent(),
                    fit.confidence(),
                    fit.points(),
                    last));
          }
          table.note(
              String.join(", ", group.stream().map(String::valueOf).toList())
                  + " heads: time grows as "
                  + fits.get(0)
                  + ", choosing as "
                  + fits.get(1)
                  + ".");
        });
  }
}
