package io.attention4j.llm.decoder;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.RecurrentState;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.ActivationKernel;
import io.attention4j.engine.spi.ElementwiseKernel;
import io.attention4j.engine.spi.LinearScanInputs;
import io.attention4j.engine.spi.LinearScanKernel;
import io.attention4j.engine.spi.LinearScanSpec;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.architecture.ModelConfig;
import io.attention4j.llm.decoder.Rwkv7Mixing.HeadNorm;
import java.util.List;

/**
 * A layer of RWKV-7 (Peng et al. 2025, arXiv 2503.14456, section 4): the time mix, a recurrence
 * with a decay per channel and a removal of what a key stood for, and the channel mix, a squared
 * ReLU. Both read the token before beside the token itself.
 */
final class Rwkv7Block implements Block {
  /** Tensors of a layer's state. */
  private static final int TIME_SHIFT = 0;

  private static final int CHANNEL_SHIFT = 1;
  private static final int MATRICES = 2;

  /** The decay of a token is at most e^-0.6065 per channel. */
  private static final float STRONGEST_DECAY = (float) -Math.exp(-0.5);

  /** A product through few dimensions: up(f(down(x))). */
  record Narrow(Linear down, Tensor middle, Linear up) {}

  /** Weights of the time mix. */
  record TimeMix(
      Norm norm,
      Floats lerp,
      Linear receptance,
      Linear key,
      Linear value,
      Narrow decay,
      Narrow rate,
      Narrow share,
      Narrow gate,
      Floats removal,
      Floats keyScale,
      HeadNorm headNorm,
      Linear output) {}

  /** Weights of the channel mix. */
  record ChannelMix(Norm norm, Floats lerp, Linear key, Linear value) {}

  private final TimeMix time;
  private final ChannelMix channel;
  private final KernelSelector kernels;
  private final ModelConfig config;
  private final Activations a;
  private final Rwkv7Activations own;
  private final Rwkv7Mixing mixing;
  private final LinearScanSpec spec;
  private final LinearScanKernel scan;
  private final LinearScanInputs scanInputs;
  private final ActivationKernel sigmoid;
  private final ActivationKernel relu;
  private final ElementwiseKernel scale;
  private final ElementwiseKernel softCap;
  private final Floats normed;
  private final Floats[] mixed;
  private final Floats[] channelMixed;
  private final Floats receptance;
  private final Floats keys;
  private final Floats values;
  private final Floats attended;
  private final Floats rate;
  private final Floats share;
  private final Floats gate;
  private final Floats read;
  private final Floats write;
  private final Floats firstValues;
  private final Tensor attendedRows;
  private final List<Linear> linears;

  Rwkv7Block(
      TimeMix time,
      ChannelMix channel,
      ModelConfig config,
      KernelSelector kernels,
      Activations a,
      Rwkv7Activations own,
      List<Linear> linears) {
    this.time = time;
    this.channel = channel;
    this.config = config;
    this.kernels = kernels;
    this.a = a;
    this.own = own;
    this.linears = List.copyOf(linears);
    ModelConfig.Sizes sizes = config.sizes();
    mixing = new Rwkv7Mixing(sizes.modelDim(), sizes.headDim());
    spec =
        new LinearScanSpec(
            sizes.queryHeads(),
            sizes.kvHeads(),
            sizes.headDim(),
            sizes.valueDim(),
            1,
            LinearScanSpec.Decay.KEY,
            LinearScanSpec.Write.LOW_RANK);
    scan = kernels.select(LinearScanKernel.class, spec);
    scanInputs = new LinearScanInputs(a.q, a.k, a.v, own.decay, null, own.read, own.write);
    sigmoid = kernels.select(ActivationKernel.class, ActivationKernel.Function.SIGMOID);
    relu = kernels.select(ActivationKernel.class, ActivationKernel.Function.RELU);
    scale = kernels.select(ElementwiseKernel.class, ElementwiseKernel.Operation.SCALE);
    softCap = kernels.select(ElementwiseKernel.class, ElementwiseKernel.Operation.SOFT_CAP);
    normed = Floats.of(a.normed);
    mixed = new Floats[Rwkv7Activations.MIXES];
    for (int i = 0; i < mixed.length; i++) {
      mixed[i] = Floats.of(own.mixed[i]);
    }
    channelMixed = new Floats[] {mixed[0]};
    receptance = Floats.of(a.q);
    keys = Floats.of(a.k);
    values = Floats.of(a.v);
    attended = Floats.of(a.attended);
    attendedRows = Activations.flat(a.attended);
    rate = Floats.of(own.rate);
    share = Floats.of(own.share);
    gate = Floats.of(own.gate);
    read = Floats.of(own.read);
    write = Floats.of(own.write);
    firstValues = Floats.of(own.firstValues);
  }

  /** Shapes of a layer's state: two last inputs, and a matrix per head. */
  static Shape[] stateShapes(ModelConfig.Sizes sizes) {
    return new Shape[] {
      Shape.of(sizes.modelDim()),
      Shape.of(sizes.modelDim()),
      Shape.of(sizes.kvHeads(), sizes.headDim(), sizes.valueDim())
    };
  }

  @Override
  public LayerState newState() {
    return new RecurrentState(config.architecture(), kernels.device(), stateShapes(config.sizes()));
  }

  @Override
  public void run(int rows, LayerState[] states, LayerInputs inputs) {
    timeMix(rows, states, inputs.batch());
    channelMix(rows, states, inputs.batch());
    for (int s = 0; s < inputs.batch().sequences(); s++) {
      ((RecurrentState) states[s]).advance(inputs.batch().rows(s));
    }
  }

  private void timeMix(int rows, LayerState[] states, AttentionBatch batch) {
    long elements = (long) rows * config.sizes().modelDim();
    time.norm().run(a.residual, rows, a.normed);
    mixing.shift(batch, states, TIME_SHIFT, normed, time.lerp(), mixed);
    time.receptance().run(own.mixed[0], rows);
    time.key().run(own.mixed[2], rows);
    time.value().run(own.mixed[3], rows);

    time.decay().down().run(own.mixed[1], rows);
    Tensor middle = time.decay().middle();
    softCap.run( // tanh
        ElementwiseKernel.Operation.SOFT_CAP, middle, null, 1, rows * middle.extent(1));
    time.decay().up().run(middle, rows);
    sigmoid(own.decay, elements);
    scale.run(ElementwiseKernel.Operation.SCALE, own.decay, null, STRONGEST_DECAY, elements);

    time.rate().down().run(own.mixed[4], rows);
    time.rate().up().run(time.rate().middle(), rows);
    sigmoid(own.rate, elements);

    time.gate().down().run(own.mixed[5], rows);
    middle = time.gate().middle();
    sigmoid(middle, rows * middle.extent(1));
    time.gate().up().run(middle, rows);

    if (time.share() == null) {
      firstValues.copy(0, values, 0, elements);
    } else {
      time.share().down().run(own.mixed[3], rows);
      time.share().up().run(time.share().middle(), rows);
      sigmoid(own.share, elements);
      mixing.values(rows, values, firstValues, share);
    }
    mixing.keys(rows, keys, rate, time.removal(), time.keyScale(), read, write);
    for (int s = 0; s < batch.sequences(); s++) {
      Tensor matrices = ((RecurrentState) states[s]).tensor(MATRICES);
      scan.run(spec, scanInputs, batch.firstRow(s), batch.rows(s), matrices, a.attended);
    }
    mixing.outputs(rows, attended, time.headNorm(), receptance, keys, values, gate);
    time.output().addTo(attendedRows, rows);
  }

  private void sigmoid(Tensor x, long elements) {
    sigmoid.run(ActivationKernel.Function.SIGMOID, x, null, x, elements);
  }

  private void channelMix(int rows, LayerState[] states, AttentionBatch batch) {
    channel.norm().run(a.residual, rows, a.normed);
    mixing.shift(batch, states, CHANNEL_SHIFT, normed, channel.lerp(), channelMixed);
    channel.key().run(own.mixed[0], rows);
    // max(x, 0) x is the square of max(x, 0)
    relu.run(ActivationKernel.Function.RELU, a.up, a.up, a.up, rows * a.up.extent(1));
    channel.value().addTo(a.up, rows);
  }

  @Override
  public long weightBytes() {
    return linears.stream().mapToLong(Linear::weightBytes).sum();
  }

  @Override
  public void close() {
    linears.forEach(Linear::close);
  }
}
