package io.attention4j.engine.recurrent.operator;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.RecurrentState;
import io.attention4j.engine.recurrent.layer.LayerWeights;
import io.attention4j.engine.recurrent.layer.Projection;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.ActivationKernel.Function;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.SelectiveScanInputs;
import io.attention4j.engine.spi.SelectiveScanKernel;
import io.attention4j.engine.spi.SelectiveScanSpec;
import io.attention4j.engine.spi.SelectiveScanSpec.Decay;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;

/**
 * {@link io.attention4j.engine.recurrent.SelectiveSsm} head by head on F32 kernels: x is v, b is k,
 * c is q; step and A are per channel. Weights W_Q, W_K, W_V, W_O, w_dt [width, width], dt_bias and
 * D [width], A_log [width, headDim].
 */
final class SelectiveRows extends RowLayer {
  private final SelectiveScanSpec spec;
  private final SelectiveScanKernel scan;
  private final Product maps;
  private final Product output;
  private final Tensor rates;
  private final Tensor through;
  private SelectiveScanInputs inputs;
  private Tensor y;

  SelectiveRows(String id, LayerShape shape, LayerWeights weights, KernelSelector kernels) {
    super(id, kernels, shape.modelDim(), Shape.of(shape.queryHeads(), dim(shape), dim(shape)));
    int heads = shape.queryHeads();
    int dim = dim(shape);
    spec = new SelectiveScanSpec(heads, dim, dim, Decay.EXPONENTIAL);
    scan = kernels.select(SelectiveScanKernel.class, spec);
    maps =
        product(
            weights.projection("W_Q", width, width),
            weights.projection("W_K", width, width),
            weights.projection("W_V", width, width),
            new Projection(weights.rows("w_dt", width, width), weights.values("dt_bias", width)));
    output = product(weights.projection("W_O", width, width));
    double[] logarithms = weights.values("A_log", width, dim);
    double[] turned = new double[logarithms.length];
    for (int i = 0; i < turned.length; i++) {
      int channel = i / dim;
      int at = (channel / dim * dim + i % dim) * dim + channel % dim;
      turned[at] = -Math.exp(logarithms[i]);
    }
    rates = constant(turned, heads, dim, dim);
    through = constant(weights.values("D", width), heads, dim);
  }

  private static int dim(LayerShape shape) {
    return shape.modelDim() / shape.queryHeads();
  }

  @Override
  void allocate(Device.TensorArena arena, int rows) {
    y = arena.allocate(DType.F32, rows, width);
    Tensor steps = maps.output(3);
    inputs =
        new SelectiveScanInputs(
            maps.output(2), steps, steps, maps.output(1), maps.output(0), rates, through);
  }

  @Override
  void run(LayerState[] states, AttentionBatch batch, Tensor hidden, int rows, Tensor out) {
    maps.run(hidden, rows);
    activate(Function.SOFTPLUS, maps.output(3), null, rows * width);
    for (int s = 0; s < batch.sequences(); s++) {
      Tensor state = ((RecurrentState) states[s]).tensor(0);
      scan.run(spec, inputs, batch.firstRow(s), batch.rows(s), state, y);
    }
    output.run(y, rows, out);
  }
}
