package io.attention4j.cli;

import io.attention4j.llm.MemoryEstimate;
import io.attention4j.llm.ModelInfo;
import io.attention4j.llm.architecture.ModelConfig;

/**
 * What a run of tokens must at least read and multiply, counted from the model's sizes.
 *
 * <p>Bytes: the weights once per forward pass, and once per pass the keys and values that its last
 * token sees. Operations: 2 per weight and token of every matrix (the output matrix only where
 * logits are computed), and per token, layer and query head {@code 2 (headDim + valueDim)} for each
 * key that the token sees. Norms, rotations and activations are left out. An operator that looks at
 * fewer keys does less.
 */
public final class Work {
  private final ModelConfig config;
  private final long weightBytes;
  private final double kvBytesPerTokenAndLayer;

  /**
   * Counts for a loaded model.
   *
   * @param kv an estimate whose context is so long that a last page half full does not matter
   */
  public Work(ModelInfo info, MemoryEstimate kv) {
    config = info.config();
    weightBytes = info.weightBytesPerToken();
    kvBytesPerTokenAndLayer =
        (double) kv.kvCacheBytes() / kv.contextTokens() / config.sizes().layers();
  }

  /** Bytes of a forward pass over {@code count} tokens behind {@code depth} others. */
  public double passBytes(int depth, int count) {
    return weightBytes + kvBytesPerTokenAndLayer * keys(depth + count, count);
  }

  /** Operations of a forward pass over {@code count} tokens that gives logits for the last. */
  public double passOperations(int depth, int count) {
    ModelConfig.Sizes sizes = config.sizes();
    double modelDim = sizes.modelDim();
    double attentionWeights =
        modelDim
            * (sizes.queryHeads() * (double) (sizes.headDim() + sizes.valueDim())
                + sizes.kvHeads() * (double) (sizes.headDim() + sizes.valueDim()));
    double feedForwardWeights =
        (config.feedForward().gated() ? 3 : 2) * modelDim * sizes.feedForwardDim();
    double weights = sizes.layers() * (attentionWeights + feedForwardWeights);
    double attended = 0;
    for (int i = 1; i <= count; i++) {
      attended += keys(depth + i, 1);
    }
    return 2 * weights * count
        + 2 * modelDim * sizes.vocabulary()
        + 2.0 * sizes.queryHeads() * (sizes.headDim() + sizes.valueDim()) * attended;
  }

  /** Keys that the last {@code rows} of {@code tokens} see, each key once, over all layers. */
  private double keys(int tokens, int rows) {
    double sum = 0;
    for (ModelConfig.Layer layer : config.attention().layers()) {
      int window = layer.windowTokens();
      sum += window == 0 ? tokens : Math.min(tokens, (long) window + rows - 1);
    }
    return sum;
  }
}
