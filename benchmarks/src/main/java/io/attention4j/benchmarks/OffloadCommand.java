package io.attention4j.benchmarks;

import io.attention4j.benchmarks.measure.Bench;
import io.attention4j.benchmarks.sparse.OffloadSuite;
import io.attention4j.engine.runtime.KernelSelector;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code attention4j-bench offload}. */
@Command(
    name = "offload",
    sortOptions = false,
    description = {
      "Measures a decoding step of nosa with keys and values in a file: what the last step did not"
          + " read is fetched, or everything is; from a simulated slow store and past the system's"
          + " cache.",
      ""
    })
final class OffloadCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private BenchOptions options;

  @Option(
      names = "--dir",
      paramLabel = "DIR",
      description = "Folder of the file, on a disk. Default: that of temporary files.")
  private Path folder = Path.of(System.getProperty("java.io.tmpdir"));

  @Option(
      names = "--rate",
      paramLabel = "MIB",
      defaultValue = "400",
      description = "MiB per second of the simulated store. Default: ${DEFAULT-VALUE}.")
  private int rate;

  @Option(
      names = "--tokens",
      defaultValue = "32768",
      description = "Tokens before the decoded ones. Default: ${DEFAULT-VALUE}.")
  private int tokens;

  @Option(
      names = "--heads",
      defaultValue = "32",
      description = "Query heads. Default: ${DEFAULT-VALUE}.")
  private int queryHeads;

  @Option(
      names = "--kv-heads",
      defaultValue = "8",
      description = "KV heads. Default: ${DEFAULT-VALUE}.")
  private int kvHeads;

  @Option(
      names = "--dim",
      defaultValue = "64",
      description = "Elements of a head. Default: ${DEFAULT-VALUE}.")
  private int headDim;

  @Override
  public Integer call() throws IOException {
    OffloadSuite suite =
        new OffloadSuite(
            new OffloadSuite.Sizes(
                folder.toAbsolutePath(), rate, tokens, queryHeads, kvHeads, headDim));
    try (KernelSelector kernels = options.openKernels()) {
      Bench bench = options.bench(kernels);
      options.publish(suite.run(bench), spec.commandLine().getOut());
    }
    return 0;
  }
}
