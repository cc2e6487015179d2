package io.attention4j.llm.decoder;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.Needs;
import io.attention4j.engine.operator.Operators;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.operator.RecurrentState;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.ElementwiseKernel;
import io.attention4j.engine.spi.EmbeddingKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.architecture.ModelConfig;
import io.attention4j.llm.architecture.ModelConfig.Recurrence;
import io.attention4j.llm.architecture.Weight;
import io.attention4j.llm.loading.ModelFiles;
import io.attention4j.llm.loading.SafetensorsWeightFiles;
import io.attention4j.llm.loading.WeightLoader;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;

/**
 * The forward pass: embedding, blocks, final norm, output matrix. One call runs the rows of several
 * sequences, and the numbers of a sequence do not depend on which others are with it, up to the
 * rounding of kernels that work differently on few and on many rows. One thread at a time;
 * allocates nothing per step once its arrays have grown to the number of sequences.
 */
public final class Decoder implements AutoCloseable {
  /**
   * What a model is loaded with.
   *
   * @param contextTokens longest sequence
   * @param maxRows most rows of a step
   * @param attention operator of each layer
   */
  public record Options(int contextTokens, int maxRows, List<OptionSpec> attention) {}

  private final ModelConfig config;

  /** Where the rows come in, and where logits go out; the same unless layers are split. */
  private final Stage first;

  private final Stage last;

  /** Brings the residual from one to the other, or null. */
  private final HostCopy handover;

  private final int handoverLayer;
  private final List<Block> blocks;
  private final Norm embeddingNorm;
  private final ElementwiseKernel elementwise;
  private final EmbeddingKernel embedding;
  private final Tensor tokenTable;
  private final EmbeddingKernel positionEmbedding;
  private final Tensor positionTable;
  private final OutputHead head;
  private final List<AutoCloseable> owned;

  private final AttentionBatch batch = new AttentionBatch();
  private final LayerInputs inputs = new LayerInputs();
  private final int[] tokens;
  private final int[] positions;
  private final Tensor embeddings;
  private LayerState[] states = new LayerState[1];

  /**
   * Loads everything; what was opened is closed again if that fails.
   *
   * @param host the layers that other kernels run, or null; only of a model that {@link #splits}
   */
  public static Decoder load(
      ModelFiles files,
      ModelConfig config,
      Options options,
      KernelSelector kernels,
      KvCache.Factory caches,
      HostLayers host) {
    List<AutoCloseable> owned = new ArrayList<>();
    boolean complete = false;
    try {
      Decoder decoder = new Decoder(files, config, options, kernels, caches, host, owned);
      complete = true;
      return decoder;
    } finally {
      if (!complete) {
        Closing.all(owned);
      }
    }
  }

  private Decoder(
      ModelFiles files,
      ModelConfig config,
      Options options,
      KernelSelector kernels,
      KvCache.Factory caches,
      HostLayers host,
      List<AutoCloseable> owned) {
    this.config = config;
    this.owned = owned;
    ModelConfig.Sizes sizes = config.sizes();
    Device device = kernels.device();
    Device.TensorArena arena = keep(device.newArena());
    Arena hostArena = keep(Arena.ofShared());
    WeightLoader weights = new WeightLoader(files, device, arena, hostArena);
    last = Stage.open(config, options, kernels, weights, arena, true);
    if (host == null) {
      first = last;
      handover = null;
      handoverLayer = 0;
    } else {
      KernelSelector hostKernels = host.kernels();
      Device.TensorArena ownArena = keep(hostKernels.device().newArena());
      WeightLoader ownWeights = weights.on(hostKernels.device(), ownArena);
      first = Stage.open(config, options, hostKernels, ownWeights, ownArena, false);
      handover = new HostCopy(first.activations().residual, last.activations().residual, device);
      handoverLayer = host.count();
    }
    embeddings = needsEmbeddings(options.attention()) ? embeddings(host, options, arena) : null;
    tokens = new int[options.maxRows()];
    positions = new int[options.maxRows()];
    elementwise = first.kernels().select(ElementwiseKernel.class, ElementwiseKernel.Operation.ADD);
    Tensor storedTable =
        weights.table(Weight.TOKEN_EMBEDDING, sizes.vocabulary(), sizes.modelDim());
    tokenTable = onFirst(storedTable, arena);
    embedding = first.kernels().select(EmbeddingKernel.class, tokenTable.dtype());
    if (config.embedding().learnedPositions()) {
      positionTable =
          onFirst(
              weights.table(Weight.POSITION_EMBEDDING, sizes.contextTokens(), sizes.modelDim()),
              arena);
      positionEmbedding = first.kernels().select(EmbeddingKernel.class, positionTable.dtype());
    } else {
      positionTable = null;
      positionEmbedding = null;
    }
    embeddingNorm =
        config.recurrence() instanceof Recurrence.Rwkv7
            ? Rwkv7Loader.embeddingNorm(config, weights, kernels)
            : null;
    blocks = new ArrayList<>(sizes.layers());
    if (host != null) {
      load(handoverLayer, loader(options, first, host.caches(), arena));
    }
    load(sizes.layers(), loader(options, last, caches, arena));
    head =
        keep(OutputHead.load(config, weights, storedTable, last.activations(), kernels, hostArena));
    weights.requireAllTaken();
  }

  private static boolean needsEmbeddings(List<OptionSpec> attention) {
    Operators operators = new Operators();
    return attention.stream()
        .anyMatch(option -> operators.create(option).needs().extras().contains(Needs.EMBEDDINGS));
  }

  private Tensor embeddings(HostLayers host, Options options, Device.TensorArena arena) {
    if (host != null) {
      throw new IllegalArgumentException(
          "an attention operator of this model reads token embeddings, which go to one device, but "
              + host.count()
              + " layers are to be on another; load all or no layers on the device");
    }
    return arena.allocate(DType.F32, options.maxRows(), config.sizes().modelDim());
  }

  /**
   * A table where the first layers are, so that no more than ids go there. On a device it is a copy
   * beside that of a tied output matrix, whose blocks lie as products read them best.
   */
  private Tensor onFirst(Tensor table, Device.TensorArena arena) {
    if (first.activations().residual.storage() instanceof Storage.Host) {
      return table;
    }
    Tensor copy = arena.allocate(table.dtype(), table.shape().extents());
    first.kernels().device().upload(table.segment().asSlice(0, table.byteSize()), copy);
    return copy;
  }

  /** Loads the layers up to one. */
  private void load(int end, IntFunction<Block> loader) {
    while (blocks.size() < end) {
      blocks.add(keep(loader.apply(blocks.size())));
    }
  }

  private IntFunction<Block> loader(
      Options options, Stage stage, KvCache.Factory caches, Device.TensorArena arena) {
    return switch (config.recurrence()) {
      case null -> {
        BlockLoader loader =
            new BlockLoader(
                config,
                options.contextTokens(),
                stage.weights(),
                keep(new SafetensorsWeightFiles()),
                stage.kernels(),
                caches,
                stage.activations(),
                stage.ropes());
        yield layer -> loader.load(layer, options.attention().get(layer));
      }
      case Recurrence.Rwkv7 rwkv -> {
        Rwkv7Activations own = new Rwkv7Activations(config, options.maxRows(), arena);
        yield new Rwkv7Loader(config, stage.weights(), stage.kernels(), stage.activations(), own)
            ::load;
      }
      case Recurrence.Mamba2 mamba -> {
        Mamba2Activations own = new Mamba2Activations(config, options.maxRows(), arena);
        yield new Mamba2Loader(config, stage.weights(), stage.kernels(), stage.activations(), own)
            ::load;
      }
    };
  }

  /** Whether the layers of a model can be on two devices. */
  public static boolean splits(ModelConfig config) {
    return !config.recurrent();
  }

  private <T extends AutoCloseable> T keep(T resource) {
    owned.add(resource);
    return resource;
  }

  /** What the attention operator of a layer is told. */
  public static LayerShape layerShape(ModelConfig config, int layer, int contextTokens) {
    return BlockLoader.shape(config, layer, contextTokens);
  }

  /** Bytes of a recurrent model's state of one sequence, all layers, without snapshots. */
  public static long stateBytes(ModelConfig config) {
    Shape[] shapes =
        switch (config.recurrence()) {
          case null -> new Shape[0];
          case Recurrence.Rwkv7 rwkv -> Rwkv7Block.stateShapes(config.sizes());
          case Recurrence.Mamba2 mamba -> Mamba2Block.stateShapes(config);
        };
    return Math.multiplyExact(RecurrentState.bytes(shapes), (long) config.sizes().layers());
  }

  /** Bytes of the angles of every position, where the first layers are on a device. */
  public static long angleBytes(ModelConfig config, int contextTokens) {
    return RopeAngles.deviceBytes(config, contextTokens);
  }

  /** Bytes of the tensors of a step with this many rows. */
  public static long scratchBytes(ModelConfig config, int maxRows) {
    long own =
        switch (config.recurrence()) {
          case null -> 0;
          case Recurrence.Rwkv7 rwkv -> Rwkv7Activations.bytes(config, maxRows);
          case Recurrence.Mamba2 mamba -> Mamba2Activations.bytes(config, maxRows);
        };
    return own + Activations.bytes(config, maxRows);
  }

  /** Most rows of a step. */
  public int maxRows() {
    return last.activations().maxRows();
  }

  /**
   * Whether a step can give this many candidates, at least 1, instead of logits: where logits do
   * not lie in host memory and the device can find the highest.
   */
  public boolean picks(int candidates) {
    return head.picks(candidates);
  }

  /** Bytes of weights that one token reads: what bounds decoding. */
  public long weightBytesPerToken() {
    long bytes = head.weightBytes();
    for (Block block : blocks) {
      bytes += block.weightBytes();
    }
    return bytes;
  }

  /** States of a new, empty sequence, one per layer; the caller closes them. */
  public LayerState[] newStates() {
    LayerState[] fresh = new LayerState[blocks.size()];
    boolean complete = false;
    try {
      for (int layer = 0; layer < fresh.length; layer++) {
        fresh[layer] = blocks.get(layer).newState();
      }
      complete = true;
      return fresh;
    } finally {
      if (!complete) {
        Closing.all(Arrays.stream(fresh).filter(state -> state != null).toList());
      }
    }
  }

  /**
   * Runs the rows of these sequences; together at most {@link #maxRows}. When it throws, states may
   * have grown in some layers and not in others.
   */
  void run(Step[] steps, int count) {
    gather(steps, count);
    int rows = batch.totalRows();
    embed(rows, first.activations().residual);
    if (embeddings != null) {
      embed(rows, embeddings);
      inputs.extra(Needs.EMBEDDINGS, embeddings);
    }
    first.fillAngles(positions, rows);
    if (handover != null) {
      last.fillAngles(positions, rows);
    }
    inputs.batch(batch);
    for (int layer = 0; layer < blocks.size(); layer++) {
      if (handover != null && layer == handoverLayer) {
        handover.upload(rows);
      }
      for (int s = 0; s < count; s++) {
        states[s] = steps[s].states[layer];
      }
      blocks.get(layer).run(rows, states, inputs);
    }
    Arrays.fill(states, 0, count, null);
    head.run(steps, count, batch);
  }

  private void gather(Step[] steps, int count) {
    if (states.length < count) {
      states = new LayerState[Math.max(count, 2 * states.length)];
    }
    batch.reset();
    int row = 0;
    for (int s = 0; s < count; s++) {
      Step step = steps[s];
      int sequence = batch.add(step.rows, step.position);
      batch.continued(sequence, step.continued);
      batch.lookahead(sequence, step.lookahead);
      for (int i = 0; i < step.rows; i++) {
        tokens[row] = step.tokens[step.from + i];
        positions[row++] = step.position + i;
      }
    }
  }

  private void embed(int rows, Tensor target) {
    Activations activations = first.activations();
    long elements = (long) rows * config.sizes().modelDim();
    embedding.run(tokenTable, tokens, rows, target);
    float scale = config.embedding().scale();
    if (scale != 1) {
      elementwise.run(ElementwiseKernel.Operation.SCALE, target, null, scale, elements);
    }
    if (embeddingNorm != null) {
      embeddingNorm.run(target, rows, target);
    }
    if (positionTable != null) {
      positionEmbedding.run(positionTable, positions, rows, activations.branch);
      elementwise.run(ElementwiseKernel.Operation.ADD, target, activations.branch, 0, elements);
    }
  }

  @Override
  public void close() {
    Closing.all(owned);
  }
}
