package io.attention4j.benchmarks;

import io.attention4j.benchmarks.recurrent.LinearSuite;
import io.attention4j.engine.runtime.KernelSelector;
import java.io.IOException;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code attention4j-bench linear}. */
@Command(
    name = "linear",
    sortOptions = false,
    description = {
      "Measures linear operators: chunked prefill against the machine's FMA peak, decode after"
          + " contexts of growing length, and where a scan overtakes softmax attention.",
      ""
    })
final class LinearCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private BenchOptions options;

  @Option(
      names = "--tables",
      split = ",",
      description = "Of ${COMPLETION-CANDIDATES}, in any case. Default: all.")
  private Set<LinearSuite.Part> tables;

  @Option(names = "--heads", defaultValue = "8", description = "Default: ${DEFAULT-VALUE}.")
  private int heads;

  @Option(
      names = "--dim",
      defaultValue = "128",
      description = "Elements of a key and of a value. Default: ${DEFAULT-VALUE}.")
  private int dim;

  @Option(
      names = "--tokens",
      defaultValue = "2048",
      description = "Tokens of prefill. Default: ${DEFAULT-VALUE}.")
  private int tokens;

  @Option(
      names = "--contexts",
      split = ",",
      description =
          "Tokens before a decoded one, ascending. Default: 1024,16384,131072,1048576; with --quick"
              + " 1024,16384.")
  private List<Integer> contexts;

  @Option(
      names = "--lengths",
      split = ",",
      description =
          "Tokens beside softmax. Default: 128,256,512,1024,2048,4096,8192; with --quick 256,1024,"
              + "4096.")
  private List<Integer> lengths;

  @Override
  public Integer call() throws IOException {
    List<Integer> before =
        contexts != null
            ? contexts
            : options.quick() ? List.of(1024, 16384) : List.of(1024, 16384, 131072, 1048576);
    List<Integer> beside =
        lengths != null
            ? lengths
            : options.quick()
                ? List.of(256, 1024, 4096)
                : List.of(128, 256, 512, 1024, 2048, 4096, 8192);
    Set<LinearSuite.Part> parts = tables != null ? tables : EnumSet.allOf(LinearSuite.Part.class);
    LinearSuite suite = new LinearSuite(heads, dim, tokens, before, beside);
    try (KernelSelector kernels = options.openKernels()) {
      options.publish(suite.run(options.bench(kernels), parts), spec.commandLine().getOut());
    }
    return 0;
  }
}
