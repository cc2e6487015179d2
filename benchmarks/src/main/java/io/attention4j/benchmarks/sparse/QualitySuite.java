package io.attention4j.benchmarks.sparse;

import io.attention4j.benchmarks.measure.Bench;
import io.attention4j.benchmarks.measure.Header;
import io.attention4j.benchmarks.report.Column;
import io.attention4j.benchmarks.report.Csv;
import io.attention4j.benchmarks.report.Report;
import io.attention4j.benchmarks.report.Table;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What operators cost in quality: against dense attention, and in the demo model. */
public final class QualitySuite {
  private static final long SEED = 7;
  private static final String[] DATA = {
    "demo model", "stories260K", "needles", "clusters", "heavy columns", "random"
  };

  /** A part of the report. */
  public enum Part {
    /** Operators against dense attention. */
    LAYERS,
    /** The demo model with each operator. */
    MODEL
  }

  /**
   * What to measure.
   *
   * @param parts of the report
   * @param operators options of causal layers
   * @param encoders options of bidirectional layers
   * @param modelOperators options for the demo model
   * @param text a text of the demo model's kind, of which the last twentieth is taken, or null for
   *     one that the model writes itself
   * @param references a folder with queries, keys and values of a model (meta.json, blkN.*), or
   *     null
   * @param plantedTokens tokens of made-up layers
   * @param windows most windows of the perplexity
   * @param prompts passkey prompts
   * @param data layers to compare on, by the first words of their name; none for all
   * @param earlier folder with CSV files of earlier runs, whose other rows stay, or null
   */
  public record Options(
      Set<Part> parts,
      List<String> operators,
      List<String> encoders,
      List<String> modelOperators,
      Path text,
      Path references,
      int plantedTokens,
      int windows,
      int prompts,
      List<String> data,
      Path earlier) {}

  private final Options options;

  /** A suite. */
  public QualitySuite(Options options) {
    this.options = options;
  }

  /**
   * Measures; takes minutes.
   *
   * @param folder of the plots, or null for none
   * @throws IOException if a file cannot be read or written
   */
  public Report run(Bench bench, Path folder) throws IOException {
    int[] text = text(bench.threads());
    List<Table> tables = new ArrayList<>();
    if (options.parts.contains(Part.LAYERS)) {
      Map<String, List<LayerInput>> data = data(bench, text);
      for (boolean causal : new boolean[] {true, false}) {
        Table table = layers(bench, data, causal);
        if (!table.rows().isEmpty()) {
          tables.add(table);
        }
        if (folder != null && causal) {
          plot(table, folder);
        }
      }
    }
    if (options.parts.contains(Part.MODEL)) {
      tables.add(models(bench, text));
    }
    return new Report(
        options.parts.contains(Part.LAYERS) ? "quality" : "quality-model",
        "Quality of sparse attention operators",
        Header.lines(bench, List.of()),
        tables,
        List.of());
  }

  private Map<String, List<LayerInput>> data(Bench bench, int[] text) throws IOException {
    Map<String, List<LayerInput>> data = new LinkedHashMap<>();
    if (wants("demo model")) {
      data.put("demo model", DemoRun.inputs(text, DemoRun.CONTEXT, bench.threads()));
    }
    if (options.references != null) {
      data.put("stories260K", ReferenceInputs.read(options.references));
    }
    int tokens = options.plantedTokens;
    data.put("needles", List.of(PlantedInputs.needles(tokens, 4, 64, SEED)));
    data.put("clusters", List.of(PlantedInputs.clusters(tokens, 4, 64, SEED)));
    data.put("heavy columns", List.of(PlantedInputs.heavyColumns(tokens, 4, 64, SEED)));
    data.put("random", List.of(PlantedInputs.random(tokens, 4, 64, SEED)));
    data.keySet().removeIf(name -> !wants(name));
    return data;
  }

  private boolean wants(String name) {
    return options.data.isEmpty() || options.data.stream().anyMatch(name::startsWith);
  }

  private Table layers(Bench bench, Map<String, List<LayerInput>> data, boolean causal)
      throws IOException {
    List<String> operators = causal ? options.operators : options.encoders;
    Table table =
        new Table(
            causal ? "quality" : "quality-bidirectional",
            "Against dense attention, " + (causal ? "causal" : "bidirectional") + ", f32",
            3,
            List.of(
                Column.of("data"),
                Column.of("N"),
                Column.of("operator"),
                new Column("error", 3),
                new Column("recall", 3),
                new Column("read", 3),
                new Column("times as fast", 2),
                Column.of("measured, UTC")));
    addEarlier(table);
    table.note(
        "error: |out - dense| / |dense|; recall: dense weight on the keys that have a weight; read:"
            + " share of the "
            + (causal ? "earlier " : "")
            + "keys that have one (through a summary too).");
    for (var entry :
        operators.isEmpty() ? List.<Map.Entry<String, List<LayerInput>>>of() : data.entrySet()) {
      bench.progress().accept("quality on " + entry.getKey());
      List<Fidelity> results = Fidelity.of(bench.kernels(), entry.getValue(), operators, causal);
      int length = entry.getValue().getFirst().tokens();
      for (int i = 0; i < results.size(); i++) {
        Fidelity result = results.get(i);
        table.add(
            entry.getKey(),
            length,
            operators.get(i),
            result.error(),
            result.recall(),
            result.read(),
            result.speedup(),
            CostSuite.now());
      }
    }
    table.keepLast();
    List<String> order = List.of(DATA);
    table.sort(Comparator.comparing(row -> order.indexOf((String) row.get(0))));
    return table;
  }

  private void addEarlier(Table table) throws IOException {
    Path file = options.earlier == null ? null : options.earlier.resolve(table.id() + ".csv");
    if (file != null && Files.exists(file)) {
      table.addEarlier(Csv.read(file));
    }
  }

  private static void plot(Table table, Path folder) throws IOException {
    Files.createDirectories(folder);
    Map<String, List<List<Object>>> byData = new LinkedHashMap<>();
    for (List<Object> row : table.rows()) {
      byData.computeIfAbsent(row.get(0) + ", N=" + row.get(1), _ -> new ArrayList<>()).add(row);
    }
    for (var entry : byData.entrySet()) {
      String file = "quality-" + entry.getValue().getFirst().get(0) + ".png";
      file = file.replace(' ', '-');
      ErrorPlot.write(
          "Error and speed on " + entry.getKey(), entry.getValue(), folder.resolve(file));
      table.note("![Error and speed on " + entry.getKey() + "](" + file + ")");
    }
  }

  private int[] text(int threads) throws IOException {
    try (DemoRun run = new DemoRun("softmax", threads)) {
      int tokens = (options.windows + 1) * DemoRun.CONTEXT / 2;
      if (options.text == null) {
        return run.written(tokens, SEED);
      }
      String all = Files.readString(options.text);
      String heldOut = all.substring(all.length() / 20 * 19);
      int[] encoded = run.tokenizer().encodeWithSpecialTokens(heldOut);
      return Arrays.copyOf(encoded, Math.min(encoded.length, tokens));
    }
  }

  private Table models(Bench bench, int[] text) throws IOException {
    Table table =
        new Table(
            "quality-model",
            "The demo model, context 1024",
            1,
            List.of(
                Column.of("operator"),
                new Column("perplexity", 2),
                new Column("of softmax's", 3),
                new Column("passkeys found", 3),
                Column.of("measured, UTC")));
    addEarlier(table);
    table.note(
        "Perplexity of the second halves of windows of 1024 tokens of "
            + (options.text == null ? "a text that the model wrote" : "the held-out text")
            + "; passkeys among four in prompts of some 900 tokens, greedy, "
            + options.prompts
            + " prompts.");
    List<String> all = new ArrayList<>();
    double dense =
        table.rows().stream()
            .filter(row -> row.getFirst().equals("softmax"))
            .mapToDouble(row -> (Double) row.get(1))
            .findFirst()
            .orElse(0);
    if (dense == 0) {
      all.add("softmax");
    }
    all.addAll(options.modelOperators);
    for (String option : all) {
      bench.progress().accept("the demo model with " + option);
      try (DemoRun run = new DemoRun(option, bench.threads())) {
        double perplexity = run.perplexity(text, options.windows);
        dense = dense == 0 ? perplexity : dense;
        double found = run.needles(text, options.prompts, SEED);
        table.add(named(option), perplexity, perplexity / dense, found, CostSuite.now());
      }
    }
    table.keepLast();
    return table;
  }

  /** An option with the names of files in place of their paths. */
  private static String named(String option) {
    return option.replaceAll("=[^;]*/", "=");
  }
}
