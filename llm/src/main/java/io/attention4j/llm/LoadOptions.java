package io.attention4j.llm;

import io.attention4j.engine.spi.DeviceOptions;
import java.nio.file.Path;
import java.util.Objects;

/**
 * How a model is loaded. Immutable; build one with {@link #builder()}.
 *
 * @param contextTokens longest sequence; 0 = what the model was trained for, at most {@link
 *     #DEFAULT_CONTEXT_TOKENS}. More than it was trained for is possible where positions are
 *     rotated, at the price of quality
 * @param threads compute threads; 0 = one per physical core that this process may use
 * @param kernels provider id such as "cpu.simd"; "auto" = system property {@code
 *     attention4j.kernels}, else the best that runs here
 * @param attention operator, possibly per layer: "softmax", "0-3=softmax,4-=softmax"
 * @param kvCache policy, codec, tier and layout, each optional: "sink-window:tokens=1024+f16"
 * @param maxBatchRows most tokens of one forward pass: the size of a prompt chunk, and of the
 *     buffers
 * @param deviceLayers how many of the last layers, and with them the output matrix, a device with
 *     memory of its own takes, while the CPU takes those before: a number, {@link #ALL_LAYERS} or
 *     {@link #FITTING_LAYERS}. Kernels on host memory always take all
 * @param draft a small model with the same tokens, for KV caches that rank tokens by one; null for
 *     none
 */
public record LoadOptions(
    int contextTokens,
    int threads,
    String kernels,
    String attention,
    String kvCache,
    int maxBatchRows,
    int deviceLayers,
    Path draft) {
  /** All layers are on the device, or it is refused. */
  public static final int ALL_LAYERS = -1;

  /** As many layers are on the device as its memory holds with one full context. */
  public static final int FITTING_LAYERS = -2;

  /** Context where neither the options nor a smaller model set one. */
  public static final int DEFAULT_CONTEXT_TOKENS = 4096;

  /** All defaults. */
  public static final LoadOptions DEFAULTS = builder().build();

  private static final int MAX_CONTEXT_TOKENS = 1 << 24;
  private static final int MAX_BATCH_ROWS = 1 << 16;

  /** Checks the ranges; names are checked when a model is loaded. */
  public LoadOptions {
    if (contextTokens < 0 || contextTokens > MAX_CONTEXT_TOKENS) {
      throw new IllegalArgumentException(
          "contextTokens " + contextTokens + " must be 0 (automatic) to " + MAX_CONTEXT_TOKENS);
    }
    if (maxBatchRows < 1 || maxBatchRows > MAX_BATCH_ROWS) {
      throw new IllegalArgumentException(
          "maxBatchRows " + maxBatchRows + " must be 1 to " + MAX_BATCH_ROWS);
    }
    if (deviceLayers < FITTING_LAYERS) {
      throw new IllegalArgumentException(
          "deviceLayers " + deviceLayers + " must be at least 0, all (-1) or as many as fit (-2)");
    }
    Objects.requireNonNull(kernels, "kernels");
    Objects.requireNonNull(attention, "attention");
    Objects.requireNonNull(kvCache, "kvCache");
    new DeviceOptions(threads); // checks the range
  }

  /** Starts from the defaults. */
  public static Builder builder() {
    return new Builder();
  }

  /** Collects options by name; {@link #build} checks them. */
  public static final class Builder {
    private int contextTokens;
    private int threads;
    private String kernels = "auto";
    private String attention = "softmax";
    private String kvCache = "paged+f16";
    private int maxBatchRows = 512;
    private int deviceLayers = ALL_LAYERS;
    private Path draft;

    private Builder() {}

    /** See {@link LoadOptions#contextTokens()}. */
    public Builder contextTokens(int value) {
      contextTokens = value;
      return this;
    }

    /** See {@link LoadOptions#threads()}. */
    public Builder threads(int value) {
      threads = value;
      return this;
    }

    /** See {@link LoadOptions#kernels()}. */
    public Builder kernels(String value) {
      kernels = value;
      return this;
    }

    /** See {@link LoadOptions#attention()}. */
    public Builder attention(String value) {
      attention = value;
      return this;
    }

    /** See {@link LoadOptions#kvCache()}. */
    public Builder kvCache(String value) {
      kvCache = value;
      return this;
    }

    /** See {@link LoadOptions#maxBatchRows()}. */
    public Builder maxBatchRows(int value) {
      maxBatchRows = value;
      return this;
    }

    /** See {@link LoadOptions#deviceLayers()}. */
    public Builder deviceLayers(int value) {
      deviceLayers = value;
      return this;
    }

    /** See {@link LoadOptions#draft()}. */
    public Builder draft(Path value) {
      draft = value;
      return this;
    }

    /**
     * The options.
     *
     * @throws IllegalArgumentException if a value is out of range; names it and the range
     */
    public LoadOptions build() {
      return new LoadOptions(
          contextTokens, threads, kernels, attention, kvCache, maxBatchRows, deviceLayers, draft);
    }
  }
}
