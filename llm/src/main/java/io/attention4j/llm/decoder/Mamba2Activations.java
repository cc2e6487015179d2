package io.attention4j.llm.decoder;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.architecture.ModelConfig;

/**
 * What Mamba-2 layers need in flight besides {@link Activations}, whose q, k, v and attended hold
 * C, dt B, x and the output of the recurrence, per head. All F32.
 */
final class Mamba2Activations {
  /** [rows, innerDim], output gate. */
  final Tensor z;

  /** [rows, channels], x, B and C before the convolution. */
  final Tensor xbc;

  /** [rows, channels], after it. */
  final Tensor convolved;

  /** [rows, heads], step sizes. */
  final Tensor timeSteps;

  /** [rows, heads], log-decays. */
  final Tensor decay;

  Mamba2Activations(ModelConfig config, int maxRows, Device.TensorArena arena) {
    ModelConfig.Sizes sizes = config.sizes();
    z = arena.allocate(DType.F32, maxRows, innerDim(sizes));
    xbc = arena.allocate(DType.F32, maxRows, channels(config));
    convolved = arena.allocate(DType.F32, maxRows, channels(config));
    timeSteps = arena.allocate(DType.F32, maxRows, sizes.queryHeads());
    decay = arena.allocate(DType.F32, maxRows, sizes.queryHeads());
  }

  /** Elements of all heads. */
  static int innerDim(ModelConfig.Sizes sizes) {
    return sizes.queryHeads() * sizes.valueDim();
  }

  /** Channels of the convolution: x of all heads, B and C of all groups. */
  static int channels(ModelConfig config) {
    int groups = ((ModelConfig.Recurrence.Mamba2) config.recurrence()).groups();
    return Math.addExact(
        innerDim(config.sizes()), Math.multiplyExact(2 * groups, config.sizes().headDim()));
  }

  /** Bytes of all tensors. */
  static long bytes(ModelConfig config, int maxRows) {
    ModelConfig.Sizes sizes = config.sizes();
    long perRow = innerDim(sizes) + 2L * channels(config) + 2L * sizes.queryHeads();
    return perRow * maxRows * Float.BYTES;
  }
}
