package io.attention4j.cli;

import io.attention4j.demo.DemoModel;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.KvCacheContext;
import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.LoadOptions;
import io.attention4j.llm.MemoryEstimate;
import java.io.IOException;
import java.nio.file.Path;
import java.util.function.Function;
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
      description = {
        "Longest sequence, prompt and answer together.",
        "0 = what the model was trained for, at most 4096. Default: ${DEFAULT-VALUE}."
      })
  private int contextTokens;

  @Option(
      names = {"-t", "--threads"},
      paramLabel = "N",
      defaultValue = "0",
      description =
          "Compute threads; 0 = the physical cores this process may use. Default:"
              + " ${DEFAULT-VALUE}.")
  private int threads;

  @Option(
      names = "--kernels",
      paramLabel = "PROVIDER",
      defaultValue = "auto",
      description = {
        "Who computes: a name that doctor lists, such as cpu.simd, cpu.scalar or reference"
            + " (float64, slow, exact). A name is used or refused, never replaced.",
        "auto = the best that runs here. Default: ${DEFAULT-VALUE}."
      })
  private String kernels;

  @Option(
      names = "--device-layers",
      paramLabel = "N",
      defaultValue = "all",
      converter = DeviceLayers.class,
      description = {
        "Layers on a device with memory of its own, such as opencl: the last N and the output"
            + " matrix; the CPU takes those before. auto = as many as fit, see inspect. Default:"
            + " ${DEFAULT-VALUE}."
      })
  private int deviceLayers;

  @Option(
      names = "--attention",
      paramLabel = "SPEC",
      defaultValue = "softmax",
      description = {
        "Attention operator: NAME or NAME:key=value;key=value. Per layer, with ranges from 0:"
            + " 0-3=NAME,4-=NAME. Names: see doctor. Default: ${DEFAULT-VALUE}."
      })
  private String attention;

  @Option(
      names = "--kv-cache",
      paramLabel = "SPEC",
      defaultValue = "paged+f16",
      description = {
        "KV cache: policy, codec, tier and layout joined by +, each optional and NAME or"
            + " NAME:key=value;key=value, for example q8 or sink-window:tokens=1024+f16. Names: see"
            + " doctor. Default: ${DEFAULT-VALUE}."
      })
  private String kvCache;

  @Option(
      names = "--draft-model",
      paramLabel = "MODEL",
      description =
          "A small model with the same tokens, by which the KV caches speckv and specpc rank.")
  private Path draft;

  @Option(
      names = "--batch",
      paramLabel = "TOKENS",
      defaultValue = "512",
      description =
          "Most tokens of one forward pass, the size of a prompt chunk. Default: ${DEFAULT-VALUE}.")
  private int maxBatchRows;

  boolean isDemo() {
    return model == null;
  }

  Path path() {
    return model == null ? DemoModel.file() : model;
  }

  /** The context asked for; 0 if it is left to the model. */
  int contextTokens() {
    return contextTokens;
  }

  LanguageModel load() throws IOException {
    return load(contextTokens);
  }

  /** Loads the model with a context that the command needs. */
  LanguageModel load(int context) throws IOException {
    LoadOptions options = options(context);
    Path path = path();
    try (Progress _ = Progress.of("loading " + path.getFileName())) {
      return LanguageModel.load(path, options);
    }
  }

  /** Loads the model with KV caches of the command's own. */
  LanguageModel load(int context, Function<KvCacheContext, KvCache.Factory> caches)
      throws IOException {
    Path path = path();
    try (Progress _ = Progress.of("loading " + path.getFileName())) {
      return LanguageModel.load(path, options(context), caches);
    }
  }

  /** Memory with the context that the model's file asks for. */
  MemoryEstimate estimate() throws IOException {
    return LanguageModel.estimate(path(), options(0));
  }

  private LoadOptions options(int context) {
    return LoadOptions.builder()
        .contextTokens(context)
        .threads(threads)
        .kernels(kernels)
        .attention(attention)
        .kvCache(kvCache)
        .maxBatchRows(maxBatchRows)
        .deviceLayers(deviceLayers)
        .draft(draft)
        .build();
  }
}
