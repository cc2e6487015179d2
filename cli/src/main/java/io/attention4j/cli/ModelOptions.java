package io.attention4j.cli;

import io.attention4j.demo.DemoModel;
import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.LoadOptions;
import java.io.IOException;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** Which model, and how to load it: options that several commands share. */
final class ModelOptions {
  @Option(
      names = {"-m", "--model"},
      paramLabel = "MODEL",
      description = "A GGUF file or a Hugging Face folder. Default: the demo model bard-2.5m.")
  private Path model;

  @Option(
      names = {"-c", "--context"},
      paramLabel = "TOKENS",
      defaultValue = "0",
      description = "Context length; 0 = what the model was trained for, at most 4096.")
  private int contextTokens;

  @Option(
      names = {"-t", "--threads"},
      defaultValue = "0",
      description = "Compute threads; 0 = physical cores.")
  private int threads;

  @Option(
      names = "--kernels",
      defaultValue = "auto",
      description = "Kernel provider: auto, cpu.simd, cpu.scalar, reference.")
  private String kernels;

  @Option(
      names = "--attention",
      defaultValue = "softmax",
      description = "Attention operator, NAME[:key=value;...], or per layer 0-3=NAME,4-=NAME.")
  private String attention;

  @Option(
      names = "--kv-cache",
      defaultValue = "paged+f16",
      description = "KV cache: layout and codec joined by +. Default: ${DEFAULT-VALUE}.")
  private String kvCache;

  @Option(
      names = "--batch",
      paramLabel = "TOKENS",
      defaultValue = "512",
      description = "Most tokens of one forward pass. Default: ${DEFAULT-VALUE}.")
  private int maxBatchRows;

  boolean isDemo() {
    return model == null;
  }

  Path path() {
    return model == null ? DemoModel.file() : model;
  }

  LoadOptions loadOptions() {
    return LoadOptions.builder()
        .contextTokens(contextTokens)
        .threads(threads)
        .kernels(kernels)
        .attention(attention)
        .kvCache(kvCache)
        .maxBatchRows(maxBatchRows)
        .build();
  }

  LanguageModel load() throws IOException {
    LoadOptions options = loadOptions();
    try (Progress _ = Progress.of("loading " + path().getFileName())) {
      return LanguageModel.load(path(), options);
    }
  }
}
