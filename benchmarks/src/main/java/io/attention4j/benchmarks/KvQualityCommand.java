package io.attention4j.benchmarks;

import io.attention4j.benchmarks.quality.KvQuality;
import io.attention4j.benchmarks.report.BarChart;
import io.attention4j.benchmarks.report.Column;
import io.attention4j.benchmarks.report.Report;
import io.attention4j.benchmarks.report.Table;
import io.attention4j.cli.RetrievalHeads;
import io.attention4j.demo.DemoModel;
import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.LoadOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code attention4j-bench kv-quality}. */
@Command(
    name = "kv-quality",
    sortOptions = false,
    description = {
      "Measures perplexity and passkey recall of a model against the budget of KV-cache policies"
          + " and codecs: a context is read, the policy decides, then the text goes on.",
      ""
    })
final class KvQualityCommand implements Callable<Integer> {
  /** Stands in a cache option for the budget. */
  private static final String SHARE = "SHARE";

  /** Stands in a cache option for one divided by the budget. */
  private static final String INVERSE = "INVERSE";

  /** Stands in a cache option for a file of retrieval heads. */
  private static final String HEADS = "HEADS";

  private static final Set<String> DRAFTED = Set.of("speckv", "specpc");

  @Spec private CommandSpec spec;
  @Mixin private BenchOptions options;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "MODEL",
      description = "Default: the demo model bard-2.5m.")
  private Path model;

  @Option(
      names = "--text",
      required = true,
      paramLabel = "FILE",
      description = "A UTF-8 text that the model has not been trained on.")
  private Path text;

  @Option(
      names = "--from",
      paramLabel = "SHARE",
      defaultValue = "0.95",
      description =
          "Where in the text to begin. Default: ${DEFAULT-VALUE}, the demo's held-out part.")
  private double from;

  @Option(
      names = "--cache",
      paramLabel = "SPEC",
      description =
          "A KV cache to measure, with "
              + SHARE
              + " for the budget, or "
              + INVERSE
              + " for one divided by it, and "
              + HEADS
              + " for a list of retrieval heads, which is made first; can be repeated. Default:"
              + " every policy and codec.")
  private List<String> caches =
      List.of(
          "full+f32",
          "full+f16",
          "full+bf16",
          "full+q8",
          "full+q4",
          "full+kivi:bits=4;residual=64",
          "full+kivi:bits=2;residual=64",
          "full+saq:levels=16@64,8@128,4@256,2",
          "window:keep=SHARE",
          "sink-window:keep=SHARE",
          "snapkv:keep=SHARE;window=32",
          "pyramidkv:keep=SHARE;window=32",
          "adakv:keep=SHARE;window=32",
          "tova:keep=SHARE",
          "h2o:keep=SHARE",
          "speckv:keep=SHARE;window=32;lookahead=32",
          "specpc:keep=SHARE;window=32;kernel=16",
          "razor:file=HEADS;induction=0.25;echo=0;buffer=16;compression=INVERSE",
          "duo:file=HEADS;heads=0.25;recent=64",
          "quest:tokens=256",
          "quest:tokens=64",
          "snapkv:keep=SHARE;window=32+q4",
          "expected-attention:keep=SHARE",
          "expected-attention:keep=SHARE;safeguard=0.2;eps=0.01");

  @Option(
      names = "--attention",
      paramLabel = "SPEC",
      description =
          "An attention operator to measure with the cache f16; can be repeated. Default: act.")
  private List<String> attentions = List.of("act", "act:alpha=5", "0-1=softmax,2-4=act,5-=softmax");

  @Option(
      names = "--draft-model",
      paramLabel = "MODEL",
      description = "By which speckv and specpc rank. Default: the model itself.")
  private Path draft;

  @Option(
      names = "--budgets",
      split = ",",
      paramLabel = "SHARE",
      defaultValue = "0.5,0.25,0.1",
      description = "Shares of the tokens that stay. Default: ${DEFAULT-VALUE}.")
  private List<Double> budgets;

  @Option(
      names = "--context",
      paramLabel = "TOKENS",
      defaultValue = "1024",
      description =
          "Window of perplexity; passkey prompts are a tenth shorter. Default:"
              + " ${DEFAULT-VALUE}.")
  private int context;

  @Option(
      names = "--windows",
      defaultValue = "8",
      description = "Windows of text. Default: ${DEFAULT-VALUE}.")
  private int windows;

  @Option(
      names = "--passkeys",
      defaultValue = "40",
      description = "Passkey prompts. Default: ${DEFAULT-VALUE}.")
  private int passkeys;

  /** The list of heads, once it is needed. */
  private Path heads;

  private record Row(String cache, Double budget, KvQuality.TextResult text, double recall) {}

  @Override
  public Integer call() throws IOException {
    String whole = Files.readString(text);
    String held = whole.substring((int) (from * whole.length()));
    try {
      options.publish(report(rows(held)), spec.commandLine().getOut());
    } finally {
      if (heads != null) {
        Files.deleteIfExists(heads);
      }
    }
    return 0;
  }

  private List<Row> rows(String held) throws IOException {
    List<Row> rows = new ArrayList<>();
    for (String cache : caches) {
      boolean budgeted = cache.contains(SHARE) || cache.contains(INVERSE);
      for (Double budget : budgeted ? budgets : List.of(1.0)) {
        rows.add(measure(cache, budget, held));
      }
    }
    for (String attention : attentions) {
      rows.add(row("f16 " + attention, 1, load("f16").attention(attention), held));
    }
    return rows;
  }

  private Row measure(String cache, double budget, String held) throws IOException {
    String option =
        cache
            .replace(SHARE, Double.toString(budget))
            .replace(INVERSE, String.format(Locale.ROOT, "%.3f", 1 / budget));
    if (option.contains(HEADS)) {
      option = option.replace(HEADS, headFile().toString());
    }
    LoadOptions.Builder load = load(option);
    if (DRAFTED.contains(cache.replaceAll("[:+].*", ""))) {
      load.draft(draft == null ? path() : draft);
    }
    return row(cache, budget, load, held);
  }

  private Path path() {
    return model == null ? DemoModel.file() : model;
  }

  private LoadOptions.Builder load(String cache) {
    return LoadOptions.builder().kernels(options.kernels()).kvCache(cache).contextTokens(context);
  }

  private Path headFile() throws IOException {
    if (heads == null) {
      heads = Files.createTempFile("heads", ".tsv");
      heads.toFile().deleteOnExit(); // interrupted, the process ends without more ado
      RetrievalHeads found = new RetrievalHeads();
      try (LanguageModel loaded = LanguageModel.load(path(), load("f32").build(), found::caches)) {
        found.read(loaded, 0);
        Files.write(heads, found.lines(loaded));
      }
    }
    return heads;
  }

  private Row row(String cache, double budget, LoadOptions.Builder load, String held)
      throws IOException {
    System.err.println("measuring " + cache + " " + budget);
    try (LanguageModel loaded = LanguageModel.load(path(), load.build())) {
      KvQuality quality = new KvQuality(loaded, held);
      KvQuality.TextResult result = quality.perplexity(context, windows);
      return new Row(cache, budget, result, quality.passkeys(context * 9 / 10, passkeys));
    }
  }

  private Report report(List<Row> rows) {
    Table table =
        new Table(
            "kv-quality",
            "Quality against budget",
            List.of(
                Column.of("cache"),
                new Column("budget", 2),
                new Column("KiB per session", 1),
                new Column("share of f16", 3),
                new Column("perplexity", 3),
                new Column("passkeys", 3)));
    double dense =
        rows.stream()
            .filter(row -> row.cache.equals("full+f16"))
            .mapToDouble(row -> row.text.bytes())
            .findFirst()
            .orElse(Double.NaN);
    BarChart perplexity = new BarChart("kv-perplexity", "Perplexity by budget", "perplexity");
    BarChart recall = new BarChart("kv-passkeys", "Passkey recall by budget", "share");
    Map<String, Map<String, Double>> perplexities = new LinkedHashMap<>();
    Map<String, Map<String, Double>> recalls = new LinkedHashMap<>();
    for (Row row : rows) {
      table.add(
          row.cache.replace("keep=" + SHARE, "").replace(":;", ":").replaceAll(":$", ""),
          row.budget,
          row.text.bytes() / 1024,
          Double.isNaN(dense) ? null : row.text.bytes() / dense,
          row.text.perplexity(),
          row.recall);
      String name = row.cache.replaceAll(":.*", "");
      String series = "budget " + row.budget;
      perplexities
          .computeIfAbsent(name, _ -> new LinkedHashMap<>())
          .putIfAbsent(series, row.text.perplexity());
      recalls.computeIfAbsent(name, _ -> new LinkedHashMap<>()).putIfAbsent(series, row.recall);
    }
    perplexities.forEach(perplexity::add);
    recalls.forEach(recall::add);
    table.note(
        "Perplexity: "
            + windows
            + " windows of "
            + context
            + " tokens, the first half read as a prompt, the second decoded token by token. KiB:"
            + " what a session holds right after the prompt, positions and statistics included.");
    table.note(
        "Passkeys: share of "
            + passkeys
            + " five-digit keys given back whole, three others beside each, in "
            + context * 9 / 10
            + " tokens; the question comes after the policy has decided.");
    return new Report(
        "kv-quality",
        "KV-cache policies: quality against budget",
        List.of("model " + (model == null ? "bard-2.5m" : model.getFileName())),
        List.of(table),
        List.of(perplexity, recall));
  }
}
