package io.attention4j.benchmarks;

import io.attention4j.benchmarks.kv.DecodeShape;
import picocli.CommandLine.Option;

/** The attention layers of a model, by default those of Llama-3.2-1B. */
final class LayersOptions {
  @Option(names = "--layers", defaultValue = "16", description = "Default: ${DEFAULT-VALUE}.")
  private int layers;

  @Option(names = "--heads", defaultValue = "32", description = "Default: ${DEFAULT-VALUE}.")
  private int queryHeads;

  @Option(names = "--kv-heads", defaultValue = "8", description = "Default: ${DEFAULT-VALUE}.")
  private int kvHeads;

  @Option(names = "--dim", defaultValue = "64", description = "Default: ${DEFAULT-VALUE}.")
  private int headDim;

  /** These layers after so many tokens. */
  DecodeShape after(int keys) {
    return new DecodeShape(layers, queryHeads, kvHeads, headDim, keys);
  }
}
