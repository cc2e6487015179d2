package io.attention4j.benchmarks;

import io.attention4j.benchmarks.measure.Bench;
import io.attention4j.benchmarks.sparse.QualitySuite;
import io.attention4j.engine.runtime.KernelSelector;
import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code attention4j-bench quality}. */
@Command(
    name = "quality",
    sortOptions = false,
    description = {
      "Measures what sparse attention operators cost in quality: error and recall against dense"
          + " attention on layers of the demo model and on made-up ones, and the demo model's"
          + " perplexity and retrieval.",
      ""
    })
final class QualityCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private BenchOptions options;

  @Option(
      names = "--parts",
      split = ",",
      paramLabel = "NAME",
      defaultValue = "layers,model",
      description = "Of ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.")
  private List<QualitySuite.Part> parts;

  @Option(
      names = "--operators",
      split = ",",
      paramLabel = "NAME",
      defaultValue =
          "window:tokens=256,sink-window:sinks=4;tokens=252,longformer:tokens=252;globals=4,"
              + "bigbird:block=32;window=4;random=3,block-topk:block=16;k=14,"
              + "block-topk:block=16;k=14;strict=true,prflash:block=16;budget=15,"
              + "prflash:block=16;budget=15;unbiased=true,lsg:block=64;sparse=64,"
              + "lsg:block=64;sparse=64;type=stride,lsg:block=64;sparse=64;type=pool,"
              + "hyper:min=128;block=64;samples=64,hyper:min=128;block=64;samples=64;sampling=values,"
              + "combiner:type=fixed;segment=64,routing:clusters=4;tokens=256,"
              + "routing:clusters=4;tokens=256;queries=nearest,landmark:block=64;k=4,"
              + "seer:block=16;k=15;last=0;gate=random,seer:block=16;k=15;last=0;gate=oracle,"
              + "nosa:gate=random;block=16;kernel=8;stride=4;local=4;query=6;k=16",
      description =
          "Options of causal layers; by default such that some 256 keys are read a row."
              + " gate=random is an untrained gate.")
  private List<String> operators;

  @Option(
      names = "--encoders",
      split = ",",
      paramLabel = "NAME",
      defaultValue =
          "longformer:tokens=252;globals=4,bigbird:block=32;window=3;random=3,"
              + "prflash:block=16;budget=16,lsg:block=64;sparse=32,"
              + "hyper:min=128;block=64;samples=64,combiner:type=fixed;segment=64,"
              + "routing:clusters=4;tokens=256,nystrom:landmarks=64",
      description = "Options of bidirectional layers; none for no such rows.")
  private List<String> encoders;

  @Option(
      names = "--model-operators",
      split = ",",
      paramLabel = "NAME",
      defaultValue =
          "window:tokens=256,sink-window:sinks=4;tokens=252,longformer:tokens=252;globals=4,"
              + "bigbird:block=32;window=4;random=3,block-topk:block=16;k=14,"
              + "block-topk:block=16;k=14;strict=true,quest:page=16;tokens=256;dense=0,"
              + "prflash:block=16;budget=15,prflash:block=16;budget=15;unbiased=true,"
              + "lsg:block=64;sparse=64,lsg:block=64;sparse=64;type=stride,"
              + "lsg:block=64;sparse=64;type=pool,hyper:min=128;block=64;samples=64,"
              + "hyper:min=128;block=64;samples=64;sampling=values,"
              + "combiner:type=fixed;segment=64,routing:clusters=4;tokens=256;queries=nearest,"
              + "seer:block=16;k=15;last=0;gate=oracle,landmark:block=64;k=4",
      description = "Options for the demo model.")
  private List<String> modelOperators;

  @Option(
      names = "--text",
      paramLabel = "FILE",
      description =
          "A text of the demo model's kind, of which the last twentieth is taken."
              + " Default: one that the model writes itself.")
  private Path text;

  @Option(
      names = "--references",
      paramLabel = "FOLDER",
      description = "Dumps of another model's layers: meta.json, blkN.q_rope.f32.bin and so on.")
  private Path references;

  @Option(
      names = "--data",
      split = ",",
      paramLabel = "NAME",
      description =
          "Layers to compare on: demo, stories, needles, clusters, heavy, random. Default: all.")
  private List<String> data = List.of();

  @Option(
      names = "--add",
      description =
          "Keep what the CSV files in the folder of --report have besides: rows of several short"
              + " runs add up.")
  private boolean add;

  @Option(
      names = "--planted-tokens",
      defaultValue = "0",
      description = "Tokens of made-up layers. Default: 4096; with --quick 1024.")
  private int plantedTokens;

  @Option(
      names = "--windows",
      defaultValue = "0",
      description = "Most windows of the perplexity. Default: 20; with --quick 4.")
  private int windows;

  @Option(
      names = "--prompts",
      defaultValue = "0",
      description = "Passkey prompts. Default: 40; with --quick 10.")
  private int prompts;

  @Override
  public Integer call() throws IOException {
    boolean quick = options.quick();
    if (add && options.folder() == null) {
      throw new IllegalArgumentException("--add needs the folder to add to; give --report DIR");
    }
    QualitySuite suite =
        new QualitySuite(
            new QualitySuite.Options(
                EnumSet.copyOf(parts),
                unlessNone(operators),
                unlessNone(encoders),
                unlessNone(modelOperators),
                text,
                references,
                orDefault(plantedTokens, quick ? 1024 : 4096),
                orDefault(windows, quick ? 4 : 20),
                orDefault(prompts, quick ? 10 : 40),
                data,
                add ? options.folder() : null));
    try (KernelSelector kernels = options.openKernels()) {
      Bench bench = options.bench(kernels);
      options.publish(suite.run(bench, options.folder()), spec.commandLine().getOut());
    }
    return 0;
  }

  private static List<String> unlessNone(List<String> names) {
    return names.equals(List.of("none")) ? List.of() : names;
  }

  private static int orDefault(int given, int defaultValue) {
    if (given < 0) {
      throw new IllegalArgumentException(given + " must be at least 1; 0 is the default");
    }
    return given == 0 ? defaultValue : given;
  }
}
