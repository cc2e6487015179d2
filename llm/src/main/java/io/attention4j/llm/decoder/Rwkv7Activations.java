package io.attention4j.llm.decoder;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.architecture.ModelConfig;
import java.util.HashMap;
import java.util.Map;

/**
 * What RWKV-7 layers need in flight besides {@link Activations}, whose q, k, v and attended hold
 * receptance, key, value and the output of the recurrence. All F32 [rows, modelDim].
 */
final class Rwkv7Activations {
  /** Inputs that are mixed with the token before: of r, w, k, v, a, g. */
  static final int MIXES = 6;

  private static final int TENSORS = MIXES + 7;

  /** Inputs of the products; the channel mix uses the first. */
  final Tensor[] mixed = new Tensor[MIXES];

  /** Log-decay of each channel. */
  final Tensor decay;

  /** In-context learning rate, 0 to 1. */
  final Tensor rate;

  /** Share of the first layer's values, 0 to 1. */
  final Tensor share;

  /** Output gate. */
  final Tensor gate;

  /** What the recurrence recalls with. */
  final Tensor read;

  /** Where it writes what it recalled. */
  final Tensor write;

  /** Values of the first layer. */
  final Tensor firstValues;

  private final int maxRows;
  private final Device.TensorArena arena;
  private final Map<Long, Tensor> narrow = new HashMap<>();

  Rwkv7Activations(ModelConfig config, int maxRows, Device.TensorArena arena) {
    this.maxRows = maxRows;
    this.arena = arena;
    long dim = config.sizes().modelDim();
    for (int i = 0; i < MIXES; i++) {
      mixed[i] = arena.allocate(DType.F32, maxRows, dim);
    }
    decay = arena.allocate(DType.F32, maxRows, dim);
    rate = arena.allocate(DType.F32, maxRows, dim);
    share = arena.allocate(DType.F32, maxRows, dim);
    gate = arena.allocate(DType.F32, maxRows, dim);
    read = arena.allocate(DType.F32, maxRows, dim);
    write = arena.allocate(DType.F32, maxRows, dim);
    firstValues = arena.allocate(DType.F32, maxRows, dim);
  }

  /** [rows, rank], between the two matrices of a product through few dimensions. */
  Tensor narrow(long rank) {
    return narrow.computeIfAbsent(rank, r -> arena.allocate(DType.F32, maxRows, r));
  }

  /** Bytes of all tensors, the narrow ones taken as wide together as one of the others. */
  static long bytes(ModelConfig config, int maxRows) {
    return (TENSORS + 1L) * maxRows * config.sizes().modelDim() * Float.BYTES;
  }
}
