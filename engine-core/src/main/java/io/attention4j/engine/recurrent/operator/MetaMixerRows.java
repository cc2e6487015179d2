package io.attention4j.engine.recurrent.operator;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.recurrent.layer.LayerWeights;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.ActivationKernel.Function;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;

/** {@link io.attention4j.engine.recurrent.layer.MetaMixerLayer} on F32 kernels, and its weights. */
final class MetaMixerRows extends RowLayer {
  private final Product query;
  private final Convolution keys;
  private final Convolution values;
  private Tensor scores;

  MetaMixerRows(
      String id, int width, int keyTaps, int valueTaps, LayerWeights own, KernelSelector kernels) {
    super(id, kernels, width, Convolution.tail(width, keyTaps), Convolution.tail(width, valueTaps));
    query = product(own.projection("W1x1", width, width));
    keys = new Convolution(own.values("K", width, keyTaps), own.values("K_b", width), width, 0);
    values = new Convolution(own.values("V", width, valueTaps), own.values("V_b", width), width, 1);
  }

  @Override
  void allocate(Device.TensorArena arena, int rows) {
    scores = arena.allocate(DType.F32, rows, width);
  }

  @Override
  void run(LayerState[] states, AttentionBatch batch, Tensor hidden, int rows, Tensor out) {
    query.run(hidden, rows);
    keys.run(states, batch, query.output(0), scores);
    activate(Function.GELU, scores, null, rows * width);
    values.run(states, batch, scores, out);
  }
}
