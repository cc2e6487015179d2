package io.attention4j.llm;

import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.KvCacheContext;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.RecurrentState;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.spi.MatmulKernel;
import io.attention4j.engine.spi.MatmulSpec;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.architecture.ModelConfig;
import io.attention4j.llm.architecture.Weight;
import io.attention4j.llm.decoder.Decoder;
import io.attention4j.llm.loading.ModelFiles;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Function;

/**
 * An opened model and what loading it will take.
 *
 * @param contextTokens longest sequence
 * @param rows most rows of a step
 */
record LoadPlan(
    ModelFiles files,
    ModelConfig config,
    int contextTokens,
    int rows,
    KernelSelector kernels,
    KvCache.Factory caches,
    MemoryEstimate memory) {
  /**
   * What is not planned with, beside one part in so many: tables of a step, staging of uploads, and
   * the rounding of allocations to slabs.
   */
  private static final long RESERVE_BYTES = 1L << 20;

  private static final int RESERVE_SHARE = 8;

  static LoadPlan of(
      Path path,
      LoadOptions options,
      Function<KvCacheContext, KvCache.Factory> makeCaches,
      String provider,
      List<AutoCloseable> opened)
      throws IOException {
    ModelFiles files = ModelFiles.open(path);
    opened.add(files);
    ModelConfig config = files.architecture().config(files.settings());
    requireReplaceable(config, options);
    int context = contextTokens(config, options);
    int rows = Math.min(options.maxBatchRows(), context);
    KernelSelector kernels = KernelSelector.open(provider, new DeviceOptions(options.threads()));
    opened.add(kernels);
    KvCache.Factory caches =
        makeCaches.apply(new KvCacheContext(kernels, config.sizes().layers(), files.path()));
    MatmulKernel matmul = kernels.device().kernel(MatmulKernel.class).orElse(null);
    long weights = 0;
    long packed = 0;
    for (String name : files.weightNames()) {
      Tensor tensor = files.tensors().tensor(name);
      weights += tensor.byteSize();
      if (matmul != null && tensor.shape().rank() == 2) {
        packed +=
            matmul.ownedBytes(new MatmulSpec(tensor.dtype(), tensor.extent(0), tensor.extent(1)));
      }
    }
    long kv = (1L + RecurrentState.MAX_SNAPSHOTS) * Decoder.stateBytes(config);
    long kvInFiles = 0;
    for (int layer = 0; layer < config.sizes().layers() && !config.recurrent(); layer++) {
      LayerShape shape = Decoder.layerShape(config, layer, context);
      long bytes = caches.bytes(shape, context);
      kv = bytes > Long.MAX_VALUE - kv ? Long.MAX_VALUE : kv + bytes;
      kvInFiles += bytes - caches.memoryBytes(shape, context);
    }
    MemoryEstimate memory =
        new MemoryEstimate(
            weights, packed, kv, kvInFiles, Decoder.scratchBytes(config, rows), context);
    return new LoadPlan(files, config, context, rows, kernels, caches, memory);
  }

  /** A recurrence is part of the model; there is no attention that another could replace. */
  private static void requireReplaceable(ModelConfig config, LoadOptions options) {
    if (config.recurrent() && !options.attention().equals(LoadOptions.DEFAULTS.attention())) {
      throw new IllegalArgumentException(
          "attention '"
              + options.attention()
              + "' cannot replace the recurrence of "
              + config.architecture()
              + "; leave the option out for this model");
    }
  }

  private static int contextTokens(ModelConfig config, LoadOptions options) {
    int trained = config.sizes().contextTokens();
    if (options.contextTokens() == 0) {
      return Math.min(trained, LoadOptions.DEFAULT_CONTEXT_TOKENS);
    }
    if (config.embedding().learnedPositions() && options.contextTokens() > trained) {
      throw new IllegalArgumentException(
          "contextTokens "
              + options.contextTokens()
              + " exceeds the "
              + trained
              + " positions that this model has learned; ask for at most "
              + trained);
    }
    if (options.contextTokens() > trained) {
      System.getLogger(LanguageModel.class.getName())
          .log(
              System.Logger.Level.WARNING,
              "the context of {0} tokens exceeds the {1} that this model was trained for; text"
                  + " beyond them is likely to be poor",
              String.valueOf(options.contextTokens()),
              String.valueOf(trained));
    }
    return options.contextTokens();
  }

  /** "opencl: its name". */
  String device() {
    return kernels.device().providerId() + ": " + kernels.device().description();
  }

  /**
   * How many of the last layers go to the device.
   *
   * @param provider the provider that was named, or null
   * @throws IllegalArgumentException if layers are to be split that cannot be
   */
  int deviceLayers(LoadOptions options, String provider) {
    int layers = config.sizes().layers();
    int asked = options.deviceLayers();
    if (asked == LoadOptions.ALL_LAYERS) {
      return layers;
    }
    Optional<DeviceFit> fit = fit();
    if (fit.isEmpty()) {
      if (asked != LoadOptions.FITTING_LAYERS && provider != null) {
        throw new IllegalArgumentException(
            "deviceLayers "
                + asked
                + " splits layers between a device and the CPU, but the kernels '"
                + kernels.device().providerId()
                + "' work on host memory; name opencl or leave the option out");
      }
      return layers;
    }
    int onDevice =
        asked == LoadOptions.FITTING_LAYERS ? fit.get().fitting() : Math.min(asked, layers);
    if (onDevice > 0 && onDevice < layers && !Decoder.splits(config)) {
      throw new IllegalArgumentException(
          "the layers of "
              + config.architecture()
              + " cannot be split between devices, and "
              + onDevice
              + " of "
              + layers
              + " are to be on "
              + device()
              + "; use all or none");
    }
    return onDevice;
  }

  /** What a device with memory of its own has room for; empty where memory is the host's. */
  Optional<DeviceFit> fit() {
    OptionalLong free = kernels.device().freeBytes();
    if (free.isEmpty()) {
      return Optional.empty();
    }
    int layers = config.sizes().layers();
    long room = free.getAsLong() - free.getAsLong() / RESERVE_SHARE - RESERVE_BYTES;
    long needed = Decoder.scratchBytes(config, rows) + outputBytes();
    int fitting = 0;
    for (int layer = layers - 1; layer >= 0; layer--) {
      needed += layerBytes(layer);
      if (layer == 0) {
        needed += lookupBytes();
      }
      if (needed <= room && fitting == layers - 1 - layer) {
        fitting++;
      }
    }
    return Optional.of(new DeviceFit(device(), layers, fitting, needed, free.getAsLong()));
  }

  private long outputBytes() {
    String output = files.names().name(Weight.OUTPUT, 0) + ".weight";
    return weightBytes(
        files.tensors().names().contains(output)
            ? output
            : files.names().name(Weight.TOKEN_EMBEDDING, 0) + ".weight");
  }

  /** What is looked up by token and position lies where the first layer is. */
  private long lookupBytes() {
    long bytes = Decoder.angleBytes(config, contextTokens) + tableBytes(Weight.TOKEN_EMBEDDING);
    return config.embedding().learnedPositions()
        ? Math.addExact(bytes, tableBytes(Weight.POSITION_EMBEDDING))
        : bytes;
  }

  private long tableBytes(Weight table) {
    return weightBytes(files.names().name(table, 0) + ".weight");
  }

  private long layerBytes(int layer) {
    String prefix = files.layerPrefix(layer);
    long bytes =
        config.recurrent()
            ? (1L + RecurrentState.MAX_SNAPSHOTS)
                * (Decoder.stateBytes(config) / config.sizes().layers())
            : caches.bytes(Decoder.layerShape(config, layer, contextTokens), contextTokens);
    for (String name : files.weightNames()) {
      if (name.startsWith(prefix)) {
        bytes = Math.addExact(bytes, weightBytes(name));
      }
    }
    return bytes;
  }

  /** Matrices are copied to the device in their own format, vectors as F32. */
  private long weightBytes(String name) {
    Tensor tensor = files.tensors().tensor(name);
    return tensor.shape().rank() == 2 ? tensor.byteSize() : tensor.shape().elements() * Float.BYTES;
  }
}
