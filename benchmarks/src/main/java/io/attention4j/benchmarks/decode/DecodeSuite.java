package io.attention4j.benchmarks.decode;

import io.attention4j.benchmarks.measure.Bench;
import io.attention4j.benchmarks.measure.Contender;
import io.attention4j.benchmarks.measure.Header;
import io.attention4j.benchmarks.measure.Measured;
import io.attention4j.benchmarks.measure.Probes;
import io.attention4j.benchmarks.report.BarChart;
import io.attention4j.benchmarks.report.Report;
import io.attention4j.benchmarks.report.Table;
import io.attention4j.cli.Work;
import io.attention4j.llm.LoadOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.DoubleSupplier;

/** Decoding and prefill of whole models, beside llama.cpp and the machine's limits. */
public final class DecodeSuite {
  /** Room in a context beyond what is measured: llama.cpp keeps some slots for itself. */
  private static final int SPARE_TOKENS = 64;

  private static final int READ_PROBE = 0;
  private static final int FMA_PROBE = 1;

  /**
   * A model to measure.
   *
   * @param name for tables
   */
  public record Model(String name, Path file) {}

  /**
   * How much to run.
   *
   * @param depths tokens in the session before decoding, ascending, the first 0; empty = leave
   *     decoding out
   * @param newTokens tokens of one timing of decoding
   * @param promptTokens tokens of one timing of prefill; 0 = leave prefill out
   */
  public record Sizes(List<Integer> depths, int newTokens, int promptTokens) {
    /** Checks the ranges. */
    public Sizes {
      depths = List.copyOf(depths);
      if (newTokens < 1 || promptTokens < 0) {
        throw new IllegalArgumentException(
            "new tokens "
                + newTokens
                + " and prompt tokens "
                + promptTokens
                + " must be at least 1 and 0");
      }
      for (int i = 0; i < depths.size(); i++) {
        if (i == 0 ? depths.get(i) != 0 : depths.get(i) <= depths.get(i - 1)) {
          throw new IllegalArgumentException("depths " + depths + " must ascend from 0");
        }
      }
    }

    int mostTokens() {
      return Math.max(newTokens, promptTokens) + SPARE_TOKENS;
    }

    int contextTokens() {
      return (depths.isEmpty() ? 0 : depths.getLast()) + mostTokens();
    }
  }

  private final List<Model> models;
  private final Sizes sizes;
  private final String kernels;
  private final Optional<Path> llamaCpp;
  private final DecodeTables tables;

  /**
   * A suite over some models.
   *
   * @param kernels provider id
   * @param llamaCpp folder of the installed npm package, or empty to leave llama.cpp out
   */
  public DecodeSuite(List<Model> models, Sizes sizes, String kernels, Optional<Path> llamaCpp) {
    this.models = List.copyOf(models);
    this.sizes = sizes;
    this.kernels = kernels;
    this.llamaCpp = llamaCpp;
    this.tables = new DecodeTables(llamaCpp.isPresent(), sizes.promptTokens());
  }

  /**
   * Installs llama.cpp into a folder, by npm, unless it is there.
   *
   * @throws IOException if npm is missing or fails
   */
  public static void installLlamaCpp(Path folder) throws IOException {
    LlamaCpp.install(folder);
  }

  /**
   * Measures; takes minutes.
   *
   * @throws IOException if a model cannot be read or a process cannot run
   */
  public Report run(Bench bench) throws IOException {
    List<String> header =
        Header.lines(bench, llamaCpp.map(folder -> List.of(LlamaCpp.version())).orElse(List.of()));
    for (Model model : models) {
      measure(model, bench);
    }
    List<Table> found = new ArrayList<>();
    List<BarChart> charts = new ArrayList<>();
    if (!sizes.depths().isEmpty()) {
      found.add(tables.decode());
      charts.add(tables.decodeChart());
    }
    if (sizes.promptTokens() > 0) {
      found.add(tables.prefill());
      charts.add(tables.prefillChart());
    }
    return new Report("decode", "Whole models", header, found, charts);
  }

  private void measure(Model model, Bench bench) throws IOException {
    LoadOptions options =
        LoadOptions.builder()
            .contextTokens(sizes.contextTokens())
            .threads(bench.threads())
            .kernels(kernels)
            .build();
    List<TokenEngine> engines = new ArrayList<>();
    try {
      OurEngine ours = new OurEngine(model.file(), options);
      engines.add(ours);
      if (llamaCpp.isPresent()) {
        engines.add(
            LlamaCpp.start(llamaCpp.get(), model.file(), bench.threads(), sizes.mostTokens()));
      }
      // Prefill takes the session of depth 0.
      List<Integer> depths = sizes.depths().isEmpty() ? List.of(0) : sizes.depths();
      for (TokenEngine engine : engines) {
        for (int depth : depths) {
          bench.progress().accept(model.name() + ": " + engine.name() + " fills " + depth);
          engine.fill(depth);
        }
      }
      if (!sizes.depths().isEmpty()) {
        decode(model, ours.work(), engines, bench);
      }
      if (sizes.promptTokens() > 0) {
        prefill(model, ours.work(), engines, bench);
      }
    } finally {
      engines.forEach(TokenEngine::close);
    }
  }

  /** Contenders stand in the order depth 0: ours, llama.cpp; next depth: ours, llama.cpp; ... */
  private void decode(Model model, Work work, List<TokenEngine> engines, Bench bench) {
    bench.progress().accept(model.name() + ": decode at depths " + sizes.depths());
    List<Contender> sides = new ArrayList<>();
    for (int depth : sizes.depths()) {
      for (TokenEngine engine : engines) {
        sides.add(
            side(
                engine.name() + " depth " + depth,
                () -> engine.decodeSeconds(depth, sizes.newTokens()) / sizes.newTokens()));
      }
    }
    Probes probes = new Probes(bench.kernels());
    Measured measured =
        bench
            .rounds()
            .measure(
                sides, List.of(probes.readBandwidth(bench.probe()), probes.fmaPeak(bench.probe())));
    for (int i = 0; i < sizes.depths().size(); i++) {
      int ours = i * engines.size();
      int depth = sizes.depths().get(i);
      double bytes = bytesPerToken(work, depth);
      double addedBytes = bytes - bytesPerToken(work, 0);
      double addedFlops = flopsPerToken(work, depth) - flopsPerToken(work, 0);
      tables.addDecode(
          new DecodeTables.Decoded(
              model.name(),
              depth,
              bytes,
              1 / measured.seconds(ours),
              measured.probe(READ_PROBE),
              measured.shareOfProbe(ours, bytes, READ_PROBE),
              depth == 0
                  ? null
                  : measured.median(
                      round ->
                          measured.seconds(ours, round)
                              / (measured.seconds(0, round)
                                  + Math.max(
                                      addedBytes / measured.probe(READ_PROBE, round),
                                      addedFlops / measured.probe(FMA_PROBE, round)))),
              engines.size() == 1 ? null : 1 / measured.seconds(ours + 1),
              engines.size() == 1 ? null : measured.speedup(ours, ours + 1)));
    }
  }

  private void prefill(Model model, Work work, List<TokenEngine> engines, Bench bench) {
    int tokens = sizes.promptTokens();
    bench.progress().accept(model.name() + ": prefill of " + tokens);
    List<Contender> sides = new ArrayList<>();
    for (TokenEngine engine : engines) {
      sides.add(side(engine.name(), () -> engine.prefillSeconds(tokens)));
    }
    Measured measured =
        bench.rounds().measure(sides, List.of(new Probes(bench.kernels()).fmaPeak(bench.probe())));
    double flops = work.passOperations(0, tokens);
    tables.addPrefill(
        new DecodeTables.Prefilled(
            model.name(),
            tokens / measured.seconds(0),
            flops / measured.seconds(0),
            measured.probe(0),
            measured.shareOfProbe(0, flops, 0),
            engines.size() == 1 ? null : tokens / measured.seconds(1),
            engines.size() == 1 ? null : measured.speedup(0, 1)));
  }

  private double bytesPerToken(Work work, int depth) {
    double bytes = 0;
    for (int i = 0; i < sizes.newTokens(); i++) {
      bytes += work.passBytes(depth + i, 1);
    }
    return bytes / sizes.newTokens();
  }

  private double flopsPerToken(Work work, int depth) {
    double flops = 0;
    for (int i = 0; i < sizes.newTokens(); i++) {
      flops += work.passOperations(depth + i, 1);
    }
    return flops / sizes.newTokens();
  }

  private static Contender side(String name, DoubleSupplier seconds) {
    return new Contender() {
      @Override
      public String name() {
        return name;
      }

      @Override
      public double sampleSeconds() {
        return seconds.getAsDouble();
      }
    };
  }
}
