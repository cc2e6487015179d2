package io.attention4j.benchmarks;

import io.attention4j.benchmarks.sparse.PatternPictures;
import io.attention4j.engine.runtime.KernelSelector;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code attention4j-bench patterns}. */
@Command(
    name = "patterns",
    sortOptions = false,
    description = {
      "Draws which keys attention operators read, and with what weight, on a layer of the demo"
          + " model: a PNG file each, named after the operator and its type.",
      ""
    })
final class PatternsCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private BenchOptions options;

  @Parameters(paramLabel = "FOLDER", description = "Where the pictures go.")
  private Path folder;

  @Option(
      names = "--operators",
      split = ",",
      paramLabel = "NAME",
      defaultValue =
          "softmax,window:tokens=64,sink-window:sinks=4;tokens=60,bigbird:block=16;random=2,"
              + "block-topk:block=16;k=3,prflash:block=16;budget=5,lsg:block=16;sparse=16;factor=2,"
              + "hyper:min=80;block=20;samples=20,combiner:type=fixed;segment=16,"
              + "combiner:type=logsparse,combiner:type=axial;segment=16,"
              + "combiner:type=rowmajor;segment=16,routing:clusters=5;tokens=64,"
              + "landmark:block=16;k=3,seer:gate=oracle;block=16;k=5;last=0,"
              + "seer-decode:gate=random;block=16;budget=64;prefill=sparse,"
              + "nosa:gate=random;block=16;kernel=8;stride=4;local=2;query=2;k=8",
      description = "Options of causal layers.")
  private List<String> operators;

  @Option(
      names = "--encoders",
      split = ",",
      paramLabel = "NAME",
      defaultValue = "longformer:tokens=64;globals=8,nystrom:landmarks=20",
      description = "Options of bidirectional layers; none for none.")
  private List<String> encoders;

  @Option(
      names = "--tokens",
      defaultValue = "320",
      description = "Rows and keys, at most 1024. Default: ${DEFAULT-VALUE}.")
  private int tokens;

  @Override
  public Integer call() throws IOException {
    if (tokens < 16 || tokens > 1024) {
      throw new IllegalArgumentException("--tokens " + tokens + " is outside 16..1024");
    }
    PrintWriter out = spec.commandLine().getOut();
    try (KernelSelector kernels = options.openKernels()) {
      PatternPictures pictures = PatternPictures.ofDemoModel(kernels, tokens);
      for (String option : operators) {
        draw(pictures, option, true, out);
      }
      for (String option : encoders.equals(List.of("none")) ? List.<String>of() : encoders) {
        draw(pictures, option, false, out);
      }
    }
    return 0;
  }

  private void draw(PatternPictures pictures, String option, boolean causal, PrintWriter out)
      throws IOException {
    String type = option.contains("type=") ? option.replaceAll(".*type=([a-z0-9]+).*", "-$1") : "";
    Path file = folder.resolve("attention-" + option.replaceAll(":.*", "") + type + ".png");
    pictures.draw(option, causal, file);
    out.println(file + "  " + option);
    out.flush();
  }
}
