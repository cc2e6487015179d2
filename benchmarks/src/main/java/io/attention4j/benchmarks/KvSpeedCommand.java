package io.attention4j.benchmarks;

import io.attention4j.benchmarks.kv.DecodeShape;
import io.attention4j.benchmarks.kv.KvSpeed;
import io.attention4j.engine.runtime.KernelSelector;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code attention4j-bench kv-speed}. */
@Command(
    name = "kv-speed",
    sortOptions = false,
    description = {
      "Measures the attention of one decoded token in all layers of a model shape (that of"
          + " Llama-3.2-1B) over full, quantised, razor and quest caches of random keys, beside"
          + " what the machine's bandwidth and FMA peak allow.",
      ""
    })
final class KvSpeedCommand implements Callable<Integer> {
  private static final int QUEST_TOKENS = 1024;
  private static final int QUEST_PAGE = 16;
  private static final int RAZOR_BUFFER = 4000;
  private static final double RAZOR_COMPRESSION = 6;
  private static final int RAZOR_SINKS = 4;

  @Spec private CommandSpec spec;
  @Mixin private BenchOptions options;

  @Mixin private LayersOptions layers;

  @Option(
      names = "--keys",
      defaultValue = "32768",
      description = "Tokens in the cache. Default: ${DEFAULT-VALUE}.")
  private int keys;

  @Option(
      names = "--retrieval",
      defaultValue = "0.15",
      description = "Share of retrieval heads of razor. Default: ${DEFAULT-VALUE}.")
  private double retrieval;

  @Override
  public Integer call() throws IOException {
    DecodeShape shape = layers.after(keys);
    Path heads = Files.createTempFile("heads", ".tsv");
    try (KernelSelector kernels = options.openKernels()) {
      Files.write(heads, headList(shape));
      KvSpeed speed = new KvSpeed(shape, sides(shape, heads));
      options.publish(speed.run(options.bench(kernels)), spec.commandLine().getOut());
    } finally {
      Files.delete(heads);
    }
    return 0;
  }

  private int retrievalHeads(DecodeShape shape) {
    return (int) Math.round(retrieval * shape.layers() * shape.kvHeads());
  }

  /** Random scores are as good as any: speed depends on how many heads keep everything. */
  private List<String> headList(DecodeShape shape) {
    List<Double> scores = new ArrayList<>();
    for (int i = 0; i < shape.layers() * shape.kvHeads(); i++) {
      scores.add((double) i);
    }
    Collections.shuffle(scores, new Random(6));
    List<String> lines = new ArrayList<>(List.of("[induction]"));
    for (int layer = 0; layer < shape.layers(); layer++) {
      List<String> row =
          scores.subList(layer * shape.kvHeads(), (layer + 1) * shape.kvHeads()).stream()
              .map(score -> String.format(Locale.ROOT, "%.0f", score))
              .toList();
      lines.add(String.join("\t", row));
    }
    lines.add("[echo]");
    lines.addAll(Collections.nCopies(shape.layers(), "0" + "\t0".repeat(shape.kvHeads() - 1)));
    return lines;
  }

  private List<KvSpeed.Side> sides(DecodeShape shape, Path heads) {
    double f16 = 4.0 * shape.headDim();
    double all = keys;
    double whole = (double) retrievalHeads(shape) / (shape.layers() * shape.kvHeads());
    double few = Math.min(keys, RAZOR_SINKS + Math.max(RAZOR_BUFFER, keys / RAZOR_COMPRESSION) + 1);
    String razor =
        "razor:file="
            + heads
            + ";induction="
            + retrieval
            + ";echo=0;buffer="
            + RAZOR_BUFFER
            + ";compression="
            + RAZOR_COMPRESSION
            + "+f16";
    // smallest and largest elements in f32; a query head multiplies by one of the two
    double bounds = 8.0 * shape.headDim() * Math.ceilDiv(keys, QUEST_PAGE);
    double boundFlops = bounds / 4 * shape.queryHeads() / shape.kvHeads();
    String quest = "quest:tokens=" + QUEST_TOKENS + ";page=" + QUEST_PAGE + ";dense=0+f16";
    return List.of(
        new KvSpeed.Side("full+f16", all, f16, 0, 0),
        new KvSpeed.Side("full+q8", all, 2.0 * shape.headDim() + 8, 0, 0),
        new KvSpeed.Side("saq", all, KvSpeed.Side.ALL_HELD, 0, 0),
        new KvSpeed.Side("kivi", all, KvSpeed.Side.ALL_HELD, 0, 0),
        new KvSpeed.Side("kivi:bits=4", all, KvSpeed.Side.ALL_HELD, 0, 0),
        new KvSpeed.Side(razor, whole * all + (1 - whole) * few, f16, 0, 0),
        new KvSpeed.Side(quest, Math.min(keys, QUEST_TOKENS), f16, bounds, boundFlops));
  }
}
