package io.attention4j.llm.decoder;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.RecurrentState;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.ActivationKernel;
import io.attention4j.engine.spi.CausalConvKernel;
import io.attention4j.engine.spi.CausalConvSpec;
import io.attention4j.engine.spi.LinearScanInputs;
import io.attention4j.engine.spi.LinearScanKernel;
import io.attention4j.engine.spi.LinearScanSpec;
import io.attention4j.engine.spi.NormKernel;
import io.attention4j.engine.spi.NormSpec;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.architecture.ModelConfig;

/**
 * A layer of Mamba-2 (Dao and Gu 2024, arXiv 2405.21060, section 7): one product gives z, x, B, C
 * and dt; x, B and C go through a short convolution and SiLU; the recurrence S = e^(dt a) S + dt B
 * x^T, y = C^T S + d x follows, then the gate silu(z) and a norm over each group.
 */
final class Mamba2Block implements Block {
  /** Tensors of a layer's state. */
  private static final int PAST = 0;

  private static final int MATRICES = 1;

  /** Beyond this softplus(x) is x in f32. */
  private static final float LINEAR_FROM = 20;

  /**
   * Weights.
   *
   * @param convolution [channels, taps]
   * @param timeBias [heads]
   * @param a [heads], negative
   * @param d [heads]
   * @param groupNorm [innerDim]
   */
  record Weights(
      Norm norm,
      Linear in,
      Tensor convolution,
      Tensor convolutionBias,
      Floats timeBias,
      Floats a,
      Floats d,
      Floats groupNorm,
      Linear out) {}

  private final Weights weights;
  private final ModelConfig config;
  private final KernelSelector kernels;
  private final Activations a;
  private final Mamba2Activations own;
  private final int heads;
  private final int stateDim;
  private final int headDim;
  private final int groups;
  private final CausalConvSpec convolutionSpec;
  private final CausalConvKernel convolution;
  private final LinearScanSpec spec;
  private final LinearScanKernel scan;
  private final LinearScanInputs scanInputs;
  private final ActivationKernel silu;
  private final NormSpec groupNormSpec;
  private final NormKernel groupNorm;
  private final Tensor attendedRows;
  private final Tensor perGroup;

  Mamba2Block(
      Weights weights,
      ModelConfig config,
      KernelSelector kernels,
      Activations a,
      Mamba2Activations own) {
    this.weights = weights;
    this.config = config;
    this.kernels = kernels;
    this.a = a;
    this.own = own;
    ModelConfig.Sizes sizes = config.sizes();
    ModelConfig.Recurrence.Mamba2 recurrence = (ModelConfig.Recurrence.Mamba2) config.recurrence();
    heads = sizes.queryHeads();
    stateDim = sizes.headDim();
    headDim = sizes.valueDim();
    groups = recurrence.groups();
    convolutionSpec = new CausalConvSpec(Mamba2Activations.channels(config), recurrence.taps());
    convolution = kernels.select(CausalConvKernel.class, convolutionSpec);
    spec =
        new LinearScanSpec(
            heads,
            heads,
            stateDim,
            headDim,
            1,
            LinearScanSpec.Decay.HEAD,
            LinearScanSpec.Write.ADD);
    scan = kernels.select(LinearScanKernel.class, spec);
    scanInputs = new LinearScanInputs(a.q, a.k, a.v, own.decay, null);
    silu = kernels.select(ActivationKernel.class, ActivationKernel.Function.SILU);
    groupNormSpec =
        new NormSpec(NormSpec.Kind.RMS, heads * headDim / groups, config.norms().epsilon(), 0);
    groupNorm = kernels.select(NormKernel.class, groupNormSpec);
    attendedRows = Activations.flat(a.attended);
    perGroup = a.attended.reshape(a.attended.extent(0) * groups, groupNormSpec.size());
  }

  /** Shapes of a layer's state: past inputs of the convolution, and a matrix per head. */
  static Shape[] stateShapes(ModelConfig config) {
    ModelConfig.Sizes sizes = config.sizes();
    int taps = ((ModelConfig.Recurrence.Mamba2) config.recurrence()).taps();
    return new Shape[] {
      Shape.of(Mamba2Activations.channels(config), taps - 1),
      Shape.of(sizes.queryHeads(), sizes.headDim(), sizes.valueDim())
    };
  }

  @Override
  public LayerState newState() {
    return new RecurrentState(config.architecture(), kernels.device(), stateShapes(config));
  }

  @Override
  public void run(int rows, LayerState[] states, LayerInputs inputs) {
    AttentionBatch batch = inputs.batch();
    weights.norm().run(a.residual, rows, a.normed);
    weights.in().run(a.normed, rows);
    for (int s = 0; s < batch.sequences(); s++) {
      convolution.run(
          convolutionSpec,
          own.xbc,
          batch.firstRow(s),
          batch.rows(s),
          weights.convolution(),
          weights.convolutionBias(),
          convolutionSpec.kernelSize() == 1 ? null : ((RecurrentState) states[s]).tensor(PAST),
          own.convolved);
    }
    long elements = rows * own.convolved.extent(1);
    silu.run(ActivationKernel.Function.SILU, own.convolved, null, own.convolved, elements);
    spread(rows);
    for (int s = 0; s < batch.sequences(); s++) {
      RecurrentState state = (RecurrentState) states[s];
      scan.run(
          spec, scanInputs, batch.firstRow(s), batch.rows(s), state.tensor(MATRICES), a.attended);
      state.advance(batch.rows(s));
    }
    finish(rows);
    weights.out().addTo(attendedRows, rows);
  }

  /** Gives every head its C, dt B and x, and its decay. */
  private void spread(int rows) {
    Floats steps = Floats.of(own.timeSteps);
    Floats decay = Floats.of(own.decay);
    Floats xbc = Floats.of(own.convolved);
    Floats q = Floats.of(a.q);
    Floats k = Floats.of(a.k);
    Floats v = Floats.of(a.v);
    long channels = own.convolved.extent(1);
    long inner = (long) heads * headDim;
    for (int row = 0; row < rows; row++) {
      v.copy(row * inner, xbc, row * channels, inner);
      for (int h = 0; h < heads; h++) {
        long head = (long) row * heads + h;
        float step = softplus(steps.get(head) + weights.timeBias().get(h));
        decay.set(head, step * weights.a().get(h));
        long group = h / (heads / groups);
        long b = row * channels + inner + group * stateDim;
        for (int i = 0; i < stateDim; i++) {
          k.set(head * stateDim + i, step * xbc.get(b + i));
        }
        q.copy(head * stateDim, xbc, b + (long) groups * stateDim, stateDim);
      }
    }
  }

  private static float softplus(float x) {
    return x > LINEAR_FROM ? x : (float) Math.log1p(Math.exp(x));
  }

  /** y = norm of each group ((y + d x) silu(z)) times the norm's weights. */
  private void finish(int rows) {
    Floats y = Floats.of(a.attended);
    Floats x = Floats.of(a.v);
    long inner = (long) heads * headDim;
    for (long i = 0; i < rows * inner; i++) {
      float through = weights.d().get(i % inner / headDim);
      y.set(i, y.get(i) + through * x.get(i));
    }
    silu.run(ActivationKernel.Function.SILU, own.z, a.attended, a.attended, rows * inner);
    groupNorm.run(groupNormSpec, perGroup, rows * groups, null, null, perGroup);
    for (long i = 0; i < rows * inner; i++) {
      y.set(i, y.get(i) * weights.groupNorm().get(i % inner));
    }
  }

  @Override
  public long weightBytes() {
    return weights.in().weightBytes() + weights.out().weightBytes();
  }

  @Override
  public void close() {
    weights.in().close();
    weights.out().close();
  }
}
