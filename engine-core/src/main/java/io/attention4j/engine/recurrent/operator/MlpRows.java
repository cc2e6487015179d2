package io.attention4j.engine.recurrent.operator;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.recurrent.layer.LayerWeights;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.ActivationKernel.Function;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.Tensor;

/** {@link io.attention4j.engine.recurrent.layer.MlpLayer} on F32 kernels, and its weights. */
final class MlpRows extends RowLayer {
  private final int hiddenDim;
  private final Product in;
  private final Product down;

  MlpRows(String id, int width, int hiddenDim, LayerWeights weights, KernelSelector kernels) {
    super(id, kernels, width);
    this.hiddenDim = hiddenDim;
    in =
        product(
            weights.projection("W_gt", width, hiddenDim),
            weights.projection("W_up", width, hiddenDim));
    down = product(weights.projection("W_dn", hiddenDim, width));
  }

  @Override
  void allocate(Device.TensorArena arena, int rows) {}

  @Override
  void run(LayerState[] states, AttentionBatch batch, Tensor hidden, int rows, Tensor out) {
    in.run(hidden, rows);
    activate(Function.SILU, in.output(0), in.output(1), rows * hiddenDim);
    down.run(in.output(0), rows, out);
  }
}
