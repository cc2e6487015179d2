package io.attention4j.engine.recurrent.operator;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.RecurrentState;
import io.attention4j.engine.recurrent.layer.LayerWeights;
import io.attention4j.engine.recurrent.layer.MirasLayer;
import io.attention4j.engine.recurrent.layer.Projection;
import io.attention4j.engine.recurrent.memory.MemoryNetwork;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.ActivationKernel.Function;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.OnlineMemoryInputs;
import io.attention4j.engine.spi.OnlineMemorySpec;
import io.attention4j.engine.spi.OnlineMemorySpec.Rule;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;

/** {@link MirasLayer} on F32 kernels, and its weights. */
final class MirasRows extends MemoryRows {
  private static final int EXPANSION = 4;

  // Outputs of the maps of x.
  private static final int GATE = 3;
  private static final int RETENTION = 4;
  private static final int STEP = 5;
  private static final int THRESHOLD = 6;

  private final Product maps;
  private final Product retention;
  private final Product step;
  private final Product threshold;
  private final Product output;
  private final Convolution[] convolutions;
  private final Unit unit;
  private final RowNorm norm;
  private final Tensor[] mixed = new Tensor[3];
  private Tensor y;
  private OnlineMemoryInputs inputs;

  MirasRows(
      String id,
      MirasLayer.Kind kind,
      LayerShape shape,
      int rank,
      int chunk,
      LayerWeights weights,
      KernelSelector kernels) {
    super(
        id,
        kernels,
        shape.modelDim(),
        spec(kind, shape, chunk),
        new MirasLayer(kind, shape.modelDim(), shape.queryHeads(), rank, chunk, weights).newState(),
        0);
    Projection alpha = weights.projection("alpha.down", width, rank);
    Projection eta = weights.projection("eta.down", width, rank);
    Projection q = weights.projection("W_Q", width, width);
    Projection k = weights.projection("W_K", width, width);
    Projection v = weights.projection("W_V", width, width);
    Projection g = weights.projection("W_G", width, width);
    boolean thresholds = kind == MirasLayer.Kind.YAAD;
    maps =
        thresholds
            ? product(q, k, v, g, alpha, eta, weights.projection("delta.down", width, rank))
            : product(q, k, v, g, alpha, eta);
    retention = up(weights.under("alpha"), rank, width);
    step = up(weights.under("eta"), rank, width);
    threshold = thresholds ? up(weights.under("delta"), rank, spec.heads()) : null;
    output = product(weights.projection("W_O", width, width));
    convolutions = convolutions(weights);
    unit = new Unit(width / spec.heads());
    norm = new RowNorm(weights.values("norm", width), EPSILON);
  }

  private static OnlineMemorySpec spec(MirasLayer.Kind kind, LayerShape shape, int chunk) {
    Rule rule =
        switch (kind) {
          case MONETA -> Rule.MONETA;
          case YAAD -> Rule.YAAD;
          case MEMORA -> Rule.MEMORA;
        };
    int heads = shape.queryHeads();
    MemoryNetwork network = MemoryNetwork.mlp(shape.modelDim() / heads, 2, EXPANSION, true);
    return new OnlineMemorySpec(heads, network, chunk, rule);
  }

  private Product up(LayerWeights weights, int rank, int out) {
    return product(new Projection(weights.rows("up", rank, out), weights.values("bias", out)));
  }

  @Override
  void allocate(Device.TensorArena arena, int rows) {
    for (int i = 0; i < mixed.length; i++) {
      mixed[i] = arena.allocate(DType.F32, rows, spec.heads(), width / spec.heads());
    }
    y = arena.allocate(DType.F32, rows, width);
    inputs =
        new OnlineMemoryInputs(
            mixed[0],
            mixed[1],
            mixed[2],
            retention.output(0),
            step.output(0),
            threshold == null ? null : threshold.output(0));
  }

  @Override
  void run(LayerState[] states, AttentionBatch batch, Tensor hidden, int rows, Tensor out) {
    maps.run(hidden, rows);
    for (int i = 0; i < convolutions.length; i++) {
      convolutions[i].run(states, batch, maps.output(i), mixed[i]);
    }
    unit.run(mixed[0], rows);
    unit.run(mixed[1], rows);
    retention.run(maps.output(RETENTION), rows);
    activate(Function.SIGMOID, retention.output(0), null, rows * width);
    step.run(maps.output(STEP), rows);
    activate(Function.SOFTPLUS, step.output(0), null, rows * width);
    if (threshold != null) {
      threshold.run(maps.output(THRESHOLD), rows);
      activate(Function.SOFTPLUS, threshold.output(0), null, rows * spec.heads());
    }
    for (int s = 0; s < batch.sequences(); s++) {
      RecurrentState state = (RecurrentState) states[s];
      int place = (int) (state.length() % spec.chunk());
      int first = batch.firstRow(s);
      memory.run(spec, inputs, first, batch.rows(s), place, state.tensor(MEMORY), y);
    }
    norm.run(y, rows);
    activate(Function.SIGMOID, maps.output(GATE), y, rows * width);
    output.run(maps.output(GATE), rows, out);
  }
}
