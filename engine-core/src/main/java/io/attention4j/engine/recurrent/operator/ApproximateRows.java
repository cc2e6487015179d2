package io.attention4j.engine.recurrent.operator;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.RecurrentState;
import io.attention4j.engine.recurrent.layer.ApproximateLayer.Denominator;
import io.attention4j.engine.recurrent.layer.LayerWeights;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.LinearScanInputs;
import io.attention4j.engine.spi.LinearScanKernel;
import io.attention4j.engine.spi.LinearScanSpec;
import io.attention4j.engine.spi.LinearScanSpec.Decay;
import io.attention4j.engine.spi.LinearScanSpec.Write;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * {@link io.attention4j.engine.recurrent.layer.ApproximateLayer} on F32 kernels, and its weights: a
 * linear scan on {@link io.attention4j.engine.recurrent.TaylorFeatures}, whose values have a 1
 * behind them that sums the weights. For a denominator per order a state has a query head for each
 * order.
 */
final class ApproximateRows extends RowLayer {
  private static final float EPSILON = 1e-12f;
  private static final int ORDERS = 3;

  /** Columns of a state are padded to this many, so that kernels take whole vectors. */
  private static final int COLUMNS = 16;

  private final int heads;
  private final int dim;
  private final int orders;
  private final int[] bounds;
  private final LinearScanSpec spec;
  private final LinearScanKernel scan;
  private final Product maps;
  private final Product output;
  private final float[] head;
  private final float[] phi;
  private final float[] wide;
  private LinearScanInputs inputs;
  private Tensor y;
  private Tensor mixed;

  ApproximateRows(
      String id,
      LayerShape shape,
      Denominator denominator,
      LayerWeights weights,
      KernelSelector kernels) {
    super(id, kernels, shape.modelDim(), state(shape));
    heads = shape.queryHeads();
    dim = width / heads;
    orders = denominator == Denominator.COMMON ? 1 : ORDERS;
    int features = features(dim);
    bounds = orders == 1 ? new int[] {0, features} : new int[] {0, 1, 1 + dim, features};
    spec =
        new LinearScanSpec(heads * orders, heads, features, columns(dim), 1, Decay.NONE, Write.ADD);
    scan = kernels.select(LinearScanKernel.class, spec);
    maps =
        product(
            weights.projection("W_Q", width, width),
            weights.projection("W_K", width, width),
            weights.projection("W_V", width, width));
    output = product(weights.projection("W_O", width, width));
    head = new float[dim];
    phi = new float[features];
    wide = new float[columns(dim)];
  }

  private static int features(int dim) {
    return 1 + dim + dim * (dim + 1) / 2;
  }

  private static int columns(int dim) {
    return Math.ceilDiv(dim + 1, COLUMNS) * COLUMNS;
  }

  private static Shape state(LayerShape shape) {
    int dim = shape.modelDim() / shape.queryHeads();
    return Shape.of(shape.queryHeads(), features(dim), columns(dim));
  }

  @Override
  void allocate(Device.TensorArena arena, int rows) {
    inputs =
        new LinearScanInputs(
            arena.allocate(DType.F32, rows, spec.queryHeads(), spec.keyDim()),
            arena.allocate(DType.F32, rows, heads, spec.keyDim()),
            arena.allocate(DType.F32, rows, heads, spec.valueDim()),
            null,
            null);
    y = arena.allocate(DType.F32, rows, spec.queryHeads(), spec.valueDim());
    mixed = arena.allocate(DType.F32, rows, width);
  }

  @Override
  void run(LayerState[] states, AttentionBatch batch, Tensor hidden, int rows, Tensor out) {
    maps.run(hidden, rows);
    for (int i = 0; i < rows * heads; i++) {
      load(maps.output(0), i, head);
      expand();
      for (int order = orders - 1; order >= 0; order--) {
        store(inputs.q(), i * orders + order, bounds[order], bounds[order + 1]);
      }
      load(maps.output(1), i, head);
      expand();
      store(inputs.k(), i, 0, phi.length);
      load(maps.output(2), i, head);
      System.arraycopy(head, 0, wide, 0, dim);
      wide[dim] = 1;
      put(wide, wide.length, inputs.v(), i);
    }
    for (int s = 0; s < batch.sequences(); s++) {
      Tensor state = ((RecurrentState) states[s]).tensor(0);
      scan.run(spec, inputs, batch.firstRow(s), batch.rows(s), state, y);
    }
    for (int i = 0; i < rows * heads; i++) {
      Arrays.fill(head, 0);
      for (int order = 0; order < orders; order++) {
        load(y, i * orders + order, wide);
        float share = 1 / (orders * (wide[dim] + EPSILON));
        for (int d = 0; d < dim; d++) {
          head[d] += share * wide[d];
        }
      }
      put(head, dim, mixed, i);
    }
    Arrays.fill(wide, 0);
    output.run(mixed, rows, out);
  }

  /** The features of the head, as {@code TaylorFeatures.compact}. */
  private void expand() {
    float first = (float) (1 / Math.sqrt(Math.sqrt(dim)));
    float pair = (float) (1 / Math.sqrt(dim));
    float square = (float) (1 / Math.sqrt(2.0 * dim));
    int at = 0;
    phi[at++] = 1;
    for (int i = 0; i < dim; i++) {
      phi[at++] = first * head[i];
    }
    for (int i = 0; i < dim; i++) {
      float scaled = pair * head[i];
      for (int j = 0; j < i; j++) {
        phi[at++] = scaled * head[j];
      }
      phi[at++] = square * head[i] * head[i];
    }
  }

  private static void load(Tensor tensor, int part, float[] target) {
    long at = tensor.byteOffset() + 4L * part * target.length;
    MemorySegment.copy(OperatorWeights.host(tensor), Tensor.FLOAT, at, target, 0, target.length);
  }

  private static void put(float[] values, int count, Tensor tensor, int part) {
    long at = tensor.byteOffset() + 4L * part * count;
    MemorySegment.copy(values, 0, OperatorWeights.host(tensor), Tensor.FLOAT, at, count);
  }

  /** The features from one to another; the others are 0, as the room for rows began. */
  private void store(Tensor tensor, int part, int from, int to) {
    long at = tensor.byteOffset() + 4L * ((long) part * phi.length + from);
    MemorySegment.copy(phi, from, OperatorWeights.host(tensor), Tensor.FLOAT, at, to - from);
  }
}
