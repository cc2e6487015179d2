package io.attention4j.engine.recurrent.operator;

import io.attention4j.engine.operator.RecurrentState;
import io.attention4j.engine.recurrent.layer.LayerWeights;
import io.attention4j.engine.recurrent.layer.SequenceState;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.OnlineMemoryKernel;
import io.attention4j.engine.spi.OnlineMemorySpec;
import io.attention4j.engine.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A layer around memories that learn while they read. A state starts with the tails of the
 * convolutions of q, k and v, then the memories, [4, heads, parameters]; an empty sequence has
 * those of the float64 layer.
 */
abstract class MemoryRows extends RowLayer {
  /** Tensor of a state with the tail of q; k and v follow. */
  static final int TAILS = 0;

  /** Tensor of a state with the memories. */
  static final int MEMORY = 3;

  /** Tensors of a state before those of the subclass. */
  static final int OWN = 4;

  /** Of the rms norms of outputs. */
  static final double EPSILON = 1e-6;

  private static final int ARRAYS = 4;

  final OnlineMemorySpec spec;
  final OnlineMemoryKernel memory;
  private final float[][] initial;

  /**
   * A layer.
   *
   * @param empty state of an empty sequence of the float64 layer: three tails [taps - 1, width],
   *     {@code others} arrays, then four arrays of each head
   */
  MemoryRows(
      String id,
      KernelSelector kernels,
      int width,
      OnlineMemorySpec spec,
      SequenceState empty,
      int others,
      Shape... own) {
    super(id, kernels, width, shapes(width, spec, own));
    this.spec = spec;
    memory = kernels.select(OnlineMemoryKernel.class, spec);
    double[][] values = empty.values();
    initial = new float[OWN][];
    for (int i = 0; i < MEMORY; i++) {
      initial[i] = turned(values[i], width);
    }
    int size = spec.network().parameters();
    float[] all = new float[ARRAYS * spec.heads() * size];
    for (int i = 0; i < ARRAYS * spec.heads(); i++) {
      int h = i % spec.heads();
      float[] array = Product.narrow(values[MEMORY + others + ARRAYS * h + i / spec.heads()]);
      System.arraycopy(array, 0, all, i * size, size);
    }
    initial[MEMORY] = all;
  }

  private static Shape[] shapes(int width, OnlineMemorySpec spec, Shape... own) {
    List<Shape> shapes = new ArrayList<>();
    for (int i = 0; i < MEMORY; i++) {
      shapes.add(Convolution.tail(width, TAPS));
    }
    shapes.add(Shape.of(ARRAYS, spec.heads(), spec.network().parameters()));
    shapes.addAll(Arrays.asList(own));
    return shapes.toArray(Shape[]::new);
  }

  /** The convolutions of q, k and v, weight conv [3, width, taps], on the state's tails. */
  final Convolution[] convolutions(LayerWeights weights) {
    double[] all = weights.values("conv", 3, width, TAPS);
    Convolution[] convolutions = new Convolution[MEMORY];
    for (int i = 0; i < convolutions.length; i++) {
      double[] filter = Arrays.copyOfRange(all, i * width * TAPS, (i + 1) * width * TAPS);
      convolutions[i] = new Convolution(filter, null, width, TAILS + i);
    }
    return convolutions;
  }

  /** [taps - 1, channels] as the kernels' [channels, taps - 1]. */
  static float[] turned(double[] tail, int channels) {
    float[] values = new float[tail.length];
    int past = tail.length / channels;
    for (int i = 0; i < values.length; i++) {
      values[i % channels * past + i / channels] = (float) tail[i];
    }
    return values;
  }

  @Override
  void start(RecurrentState state) {
    for (int i = 0; i < initial.length; i++) {
      store(initial[i], state.tensor(i));
    }
  }
}
