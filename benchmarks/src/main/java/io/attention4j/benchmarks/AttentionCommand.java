package io.attention4j.benchmarks;

import io.attention4j.benchmarks.attention.AttentionSuite;
import io.attention4j.benchmarks.measure.Bench;
import io.attention4j.engine.runtime.KernelSelector;
import java.io.IOException;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code attention4j-bench attention}. */
@Command(
    name = "attention",
    sortOptions = false,
    description = {
      "Measures the attention kernels against the machine's FMA peak and read bandwidth and, in"
          + " builds with the Maven profile peers, beside ONNX Runtime and libtorch in this JVM.",
      ""
    })
final class AttentionCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private BenchOptions options;

  @Option(
      names = "--sections",
      split = ",",
      paramLabel = "NAME",
      description = "Of ${COMPLETION-CANDIDATES}. Default: all.")
  private List<AttentionSuite.Part> sections;

  @Option(
      names = "--heads",
      defaultValue = "8",
      description = "Heads of prefill, KV heads of decode. Default: ${DEFAULT-VALUE}.")
  private int heads;

  @Option(
      names = "--dims",
      split = ",",
      defaultValue = "64,128",
      description = "Elements of a head. Default: ${DEFAULT-VALUE}.")
  private List<Integer> dims;

  @Option(
      names = "--lengths",
      split = ",",
      description = "Tokens of prefill. Default: 512,1024,2048,4096,8192; with --quick 512,2048.")
  private List<Integer> lengths;

  @Option(
      names = "--sparse-length",
      defaultValue = "0",
      description = "Tokens of block-sparse prefill. Default: 32768; with --quick 4096.")
  private int sparseLength;

  @Option(
      names = "--sparse-heads",
      defaultValue = "2",
      description = "Heads of block-sparse prefill. Default: ${DEFAULT-VALUE}.")
  private int sparseHeads;

  @Option(
      names = "--sparsity",
      split = ",",
      defaultValue = "0.5,0.75,0.9",
      description = "Shares of key blocks left out. Default: ${DEFAULT-VALUE}.")
  private List<Double> sparsities;

  @Option(
      names = "--decode-keys",
      defaultValue = "65536",
      description = "Keys of decode. Default: ${DEFAULT-VALUE}.")
  private int decodeKeys;

  @Override
  public Integer call() throws IOException {
    List<Integer> tokens =
        lengths != null
            ? lengths
            : options.quick() ? List.of(512, 2048) : List.of(512, 1024, 2048, 4096, 8192);
    int sparse = sparseLength != 0 ? sparseLength : options.quick() ? 4096 : 32768;
    AttentionSuite suite =
        new AttentionSuite(
            sections == null ? EnumSet.allOf(AttentionSuite.Part.class) : EnumSet.copyOf(sections),
            new AttentionSuite.Sizes(
                heads, dims, tokens, sparseHeads, sparse, sparsities, decodeKeys));
    try (KernelSelector kernels = options.openKernels()) {
      Bench bench = options.bench(kernels);
      options.publish(suite.run(bench), spec.commandLine().getOut());
    }
    return 0;
  }
}
