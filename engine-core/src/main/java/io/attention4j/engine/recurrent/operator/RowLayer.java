package io.attention4j.engine.recurrent.operator;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.RecurrentState;
import io.attention4j.engine.recurrent.layer.Projection;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.ActivationKernel;
import io.attention4j.engine.spi.ActivationKernel.Function;
import io.attention4j.engine.spi.CausalConvKernel;
import io.attention4j.engine.spi.CausalConvSpec;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.NormKernel;
import io.attention4j.engine.spi.NormSpec;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A layer on hidden states in attention's place, in F32 on the device's kernels. It computes what
 * the {@code SequenceLayer} of the same name does in float64, and allocates nothing per token once
 * its room for rows has grown. One thread at a time, as the forward pass.
 */
abstract class RowLayer implements AttentionLayer {
  /** Taps of the short convolutions before a recurrence. */
  static final int TAPS = 4;

  /** Below this a vector's norm counts as this, as in float64: its square, in a mean. */
  private static final double LEAST_SQUARE = 1e-24;

  final KernelSelector kernels;
  final Device device;
  final int width;
  private final String id;
  private final Shape[] shapes;
  private final Arena weights = Arena.ofShared();
  private final Device.TensorArena constants;
  private final List<Product> products = new ArrayList<>();
  private final ActivationKernel activation;
  private Device.TensorArena room;
  private int capacity;
  private Tensor unread;

  /**
   * A layer.
   *
   * @param shapes of what a sequence's state holds
   */
  RowLayer(String id, KernelSelector kernels, int width, Shape... shapes) {
    this.id = id;
    this.kernels = kernels;
    this.width = width;
    this.shapes = shapes;
    device = kernels.device();
    constants = device.newArena();
    activation = kernels.select(ActivationKernel.class, Function.SIGMOID);
  }

  /** Maps that share their input; closed and given room with the layer. */
  final Product product(Projection... maps) {
    Product product = new Product(kernels, weights, maps);
    products.add(product);
    return product;
  }

  /** A constant on the device. */
  final Tensor constant(double[] values, long... extents) {
    Tensor tensor = constants.allocate(DType.F32, extents);
    try (Arena host = Arena.ofConfined()) {
      device.upload(Tensor.ofFloats(host, Product.narrow(values), extents).segment(), tensor);
    }
    return tensor;
  }

  /** x = f(x), times what gates it if that is not null, for the first elements. */
  final void activate(Function function, Tensor x, Tensor gated, int elements) {
    activation.run(function, x, gated, x, elements);
  }

  /** Short convolutions of all sequences of a step, depthwise, with their tails as state. */
  final class Convolution {
    private final CausalConvSpec spec;
    private final CausalConvKernel kernel;
    private final Tensor weight;
    private final Tensor bias;
    private final int part;

    /**
     * A convolution.
     *
     * @param part which tensor of the state is the tail, [channels, taps - 1]
     */
    Convolution(double[] weight, double[] bias, int channels, int part) {
      spec = new CausalConvSpec(channels, weight.length / channels);
      kernel = kernels.select(CausalConvKernel.class, spec);
      this.weight = constant(weight, channels, spec.kernelSize());
      this.bias = bias == null ? null : constant(bias, channels);
      this.part = part;
    }

    /** The state's shape. */
    static Shape tail(int channels, int taps) {
      return Shape.of(channels, Math.max(taps - 1, 1));
    }

    void run(LayerState[] states, AttentionBatch batch, Tensor x, Tensor out) {
      for (int s = 0; s < batch.sequences(); s++) {
        run((RecurrentState) states[s], x, batch.firstRow(s), batch.rows(s), out);
      }
    }

    void run(RecurrentState state, Tensor x, int first, int rows, Tensor out) {
      run(state.tensor(part), x, first, rows, out);
    }

    void run(Tensor tail, Tensor x, int first, int rows, Tensor out) {
      Tensor past = spec.kernelSize() == 1 ? null : tail;
      kernel.run(spec, x, first, rows, weight, bias, past, out);
    }
  }

  /** Parts of a row at unit length. */
  final class Unit {
    private final NormSpec spec;
    private final NormKernel kernel;
    private final Tensor weight;

    Unit(int dim) {
      spec = new NormSpec(NormSpec.Kind.RMS, dim, (float) (LEAST_SQUARE / dim), 0);
      kernel = kernels.select(NormKernel.class, spec);
      double[] factors = new double[dim];
      Arrays.fill(factors, 1 / Math.sqrt(dim));
      weight = constant(factors, dim);
    }

    void run(Tensor x, int rows) {
      kernel.run(spec, x, rows * width / spec.size(), weight, null, x);
    }
  }

  /** Rms norm of whole rows. */
  final class RowNorm {
    private final NormSpec spec;
    private final NormKernel kernel;
    private final Tensor weight;

    RowNorm(double[] weight, double epsilon) {
      spec = new NormSpec(NormSpec.Kind.RMS, width, (float) epsilon, 0);
      kernel = kernels.select(NormKernel.class, spec);
      this.weight = constant(weight, width);
    }

    void run(Tensor x, int rows) {
      kernel.run(spec, x, rows, weight, null, x);
    }
  }

  /** Makes room for the rows of a step, beside the outputs of products. */
  abstract void allocate(Device.TensorArena arena, int rows);

  /** Brings the tensors of an empty sequence to where it starts; zeros are left. */
  void start(RecurrentState state) {}

  /** Computes the rows of a step, all sequences, into out; the caller counts the tokens. */
  abstract void run(LayerState[] states, AttentionBatch batch, Tensor hidden, int rows, Tensor out);

  @Override
  public final LayerState newState() {
    return new RecurrentState(id, device, shapes);
  }

  @Override
  public final void attend(LayerState[] states, LayerInputs in, Tensor out) {
    AttentionBatch batch = in.batch();
    reserve(batch.totalRows());
    for (int s = 0; s < batch.sequences(); s++) {
      if (states[s].length() == 0) {
        start((RecurrentState) states[s]);
      }
    }
    run(states, batch, in.hidden(), batch.totalRows(), out);
    for (int s = 0; s < batch.sequences(); s++) {
      ((RecurrentState) states[s]).advance(batch.rows(s));
    }
  }

  /** Outputs fall off: a state's update is the work. */
  @Override
  public final void append(LayerState[] states, LayerInputs in) {
    reserve(in.batch().totalRows());
    attend(states, in, unread);
  }

  private void reserve(int rows) {
    if (rows <= capacity) {
      return;
    }
    if (room != null) {
      room.close();
    }
    room = device.newArena();
    for (Product product : products) {
      product.allocate(room, rows);
    }
    unread = room.allocate(DType.F32, rows, width);
    allocate(room, rows);
    capacity = rows;
  }

  /** Copies float64 values to a tensor of a state. */
  static void store(float[] values, Tensor tensor) {
    MemorySegment memory = OperatorWeights.host(tensor);
    MemorySegment.copy(values, 0, memory, Tensor.FLOAT, tensor.byteOffset(), values.length);
  }

  @Override
  public void close() {
    products.forEach(Product::close);
    if (room != null) {
      room.close();
      room = null;
      capacity = 0;
    }
    constants.close();
    weights.close();
  }
}
