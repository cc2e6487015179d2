package io.attention4j.engine.recurrent.operator;

import io.attention4j.engine.recurrent.layer.Projection;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.MatmulKernel;
import io.attention4j.engine.spi.MatmulSpec;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/** Projections of one input on the device's matrix kernel, F32, with room for their outputs. */
final class Product implements AutoCloseable {
  private final MatmulKernel.MatmulPlan plan;
  private final int[] widths;
  private final Tensor[] outputs;
  private final Tensor[] given = new Tensor[1];

  /**
   * Binds maps of one input.
   *
   * @param arena owner of the weights, which the plan may read
   */
  Product(KernelSelector kernels, Arena arena, Projection... maps) {
    List<Tensor> weights = new ArrayList<>();
    List<Tensor> biases = new ArrayList<>();
    widths = new int[maps.length];
    outputs = new Tensor[maps.length];
    for (int i = 0; i < maps.length; i++) {
      weights.add(turned(arena, maps[i]));
      double[] bias = maps[i].bias();
      biases.add(bias == null ? null : Tensor.ofFloats(arena, narrow(bias), bias.length));
      widths[i] = maps[i].out();
    }
    plan =
        kernels
            .select(MatmulKernel.class, new MatmulSpec(DType.F32, widths[0], maps[0].in()))
            .plan(weights, biases.stream().allMatch(bias -> bias == null) ? null : biases);
  }

  /** The papers' [in, out] as the kernels' [out, in]. */
  private static Tensor turned(Arena arena, Projection map) {
    float[] values = new float[map.in() * map.out()];
    for (int i = 0; i < map.in(); i++) {
      for (int o = 0; o < map.out(); o++) {
        values[o * map.in() + i] = (float) map.weight().at(i, o);
      }
    }
    return Tensor.ofFloats(arena, values, map.out(), map.in());
  }

  static float[] narrow(double[] values) {
    float[] floats = new float[values.length];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = (float) values[i];
    }
    return floats;
  }

  /** Makes room for the outputs of rows. */
  void allocate(Device.TensorArena arena, int rows) {
    for (int i = 0; i < outputs.length; i++) {
      outputs[i] = arena.allocate(DType.F32, rows, widths[i]);
    }
  }

  /** The output of a map, [rows, out]. */
  Tensor output(int map) {
    return outputs[map];
  }

  /** Maps the first rows of x to the outputs. */
  void run(Tensor x, int rows) {
    plan.run(x, rows, outputs, false);
  }

  /** Maps the first rows of x by the only map to a given output. */
  void run(Tensor x, int rows, Tensor out) {
    given[0] = out;
    plan.run(x, rows, given, false);
    given[0] = null;
  }

  @Override
  public void close() {
    plan.close();
  }
}
