package io.attention4j.benchmarks;

import io.attention4j.benchmarks.kv.KvPause;
import io.attention4j.engine.runtime.KernelSelector;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code attention4j-bench kv-pause}. */
@Command(
    name = "kv-pause",
    sortOptions = false,
    description = {
      "Measures the longest decoding step of KV caches that quantise while decoding: their work"
          + " beside the attention, for every token of a long text, in all layers of a model shape"
          + " (that of Llama-3.2-1B).",
      ""
    })
final class KvPauseCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private BenchOptions options;

  @Mixin private LayersOptions layers;

  @Option(
      names = "--tokens",
      defaultValue = "16384",
      description = "Decoded tokens. Default: ${DEFAULT-VALUE}.")
  private int tokens;

  @Option(
      names = "--cache",
      paramLabel = "SPEC",
      description = "A KV cache to measure; can be repeated. Default: f16, kivi and saq.")
  private List<String> caches = List.of("f16", "kivi", "saq");

  @Override
  public Integer call() throws IOException {
    KvPause pause = new KvPause(layers.after(tokens), caches);
    try (KernelSelector kernels = options.openKernels()) {
      options.publish(pause.run(options.bench(kernels)), spec.commandLine().getOut());
    }
    return 0;
  }
}
