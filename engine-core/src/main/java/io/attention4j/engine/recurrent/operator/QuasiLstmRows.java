package io.attention4j.engine.recurrent.operator;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.RecurrentState;
import io.attention4j.engine.recurrent.Rows;
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
 * {@link io.attention4j.engine.recurrent.layer.QuasiLstmLayer} with f = sigmoid(forget) on F32
 * kernels, and its weights.
 */
final class QuasiLstmRows extends RowLayer {
  private static final int TAIL = 0;
  private static final int MEMORY = 1;

  private final int hiddenDim;
  private final SelectiveScanSpec spec;
  private final SelectiveScanKernel scan;
  private final Product in;
  private final Convolution convolution;
  private final Product gates;
  private final Product output;
  private Tensor x;
  private Tensor h;
  private SelectiveScanInputs inputs;

  QuasiLstmRows(String id, int width, LayerWeights weights, KernelSelector kernels) {
    super(id, kernels, width, Convolution.tail(2 * width, TAPS), Shape.of(1, 1, 2 * width));
    hiddenDim = 2 * width;
    spec = new SelectiveScanSpec(1, 1, hiddenDim, Decay.FACTOR);
    scan = kernels.select(SelectiveScanKernel.class, spec);
    in = product(columns(weights.rows("W_in", width, 2L * hiddenDim), 2));
    convolution =
        new Convolution(
            weights.values("conv", hiddenDim, TAPS),
            weights.values("conv_b", hiddenDim),
            hiddenDim,
            TAIL);
    gates = product(columns(weights.rows("W_g", hiddenDim, 3L * hiddenDim), 3));
    output = product(weights.projection("W_out", hiddenDim, width));
  }

  /** A matrix cut along its outputs. */
  private static Projection[] columns(Rows matrix, int parts) {
    int out = matrix.width() / parts;
    Projection[] maps = new Projection[parts];
    for (int p = 0; p < parts; p++) {
      double[] part = new double[matrix.tokens() * out];
      for (int i = 0; i < matrix.tokens(); i++) {
        System.arraycopy(matrix.values(), i * matrix.width() + p * out, part, i * out, out);
      }
      maps[p] = new Projection(new Rows(part, out));
    }
    return maps;
  }

  @Override
  void allocate(Device.TensorArena arena, int rows) {
    x = arena.allocate(DType.F32, rows, hiddenDim);
    h = arena.allocate(DType.F32, rows, hiddenDim);
    inputs = new SelectiveScanInputs(x, gates.output(0), gates.output(1), null, null, null, null);
  }

  @Override
  void run(LayerState[] states, AttentionBatch batch, Tensor hidden, int rows, Tensor out) {
    in.run(hidden, rows);
    convolution.run(states, batch, in.output(1), x);
    gates.run(x, rows);
    int elements = rows * hiddenDim;
    activate(Function.SIGMOID, gates.output(0), null, elements);
    activate(Function.SIGMOID, gates.output(1), null, elements);
    for (int s = 0; s < batch.sequences(); s++) {
      Tensor state = ((RecurrentState) states[s]).tensor(MEMORY);
      scan.run(spec, inputs, batch.firstRow(s), batch.rows(s), state, h);
    }
    activate(Function.SIGMOID, gates.output(2), h, elements);
    activate(Function.GELU, in.output(0), gates.output(2), elements);
    output.run(in.output(0), rows, out);
  }
}
