package io.attention4j.engine.recurrent.operator;

import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.recurrent.layer.LayerWeights;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * Where an operator's own weights come from: the settings {@code weights}, a safetensors file with
 * names {@code layers.N.NAME}, or {@code seed}, untrained numbers, or else the model's file, in
 * which they follow the layer's prefix.
 *
 * @param id the operator
 * @param file path of a file, or null
 * @param seed of untrained weights, or null
 */
record OperatorWeights(String id, String file, Long seed) {
  private static final int MOST_SEED = Integer.MAX_VALUE;

  static OperatorWeights of(OptionSpec option) {
    String file = option.text("weights", null);
    boolean seeded = option.values().containsKey("seed");
    if (file != null && seeded) {
      throw new IllegalArgumentException(
          "'" + option.name() + "' gives both weights and a seed of untrained ones; give one");
    }
    Long seed = seeded ? (Long) (long) option.integer("seed", 0, 0, MOST_SEED) : null;
    return new OperatorWeights(option.name(), file, seed);
  }

  LayerWeights open(LayerShape shape, OperatorContext context) {
    String inLayer = "layers." + shape.layer() + ".";
    if (seed != null) {
      return LayerWeights.untrained(seed, inLayer);
    }
    String remedy =
        "; attention '"
            + id
            + "' takes a safetensors file of trained ones by "
            + id
            + ":weights=FILE, and untrained ones by "
            + id
            + ":seed=N";
    return file != null
        ? new LayerWeights(context.files().open(file), inLayer, remedy)
        : new LayerWeights(context.weights(), "", remedy);
  }

  /** The first rows of an F32 tensor in host memory as float64. */
  static Rows rows(Tensor tensor, int first, int count) {
    int width = Math.toIntExact(tensor.shape().elements() / Math.max(tensor.extent(0), 1));
    double[] values = new double[count * width];
    MemorySegment memory = host(tensor);
    long at = tensor.byteOffset() + (long) first * width * Float.BYTES;
    for (int i = 0; i < values.length; i++) {
      values[i] = memory.get(Tensor.FLOAT, at + (long) i * Float.BYTES);
    }
    return new Rows(values, width);
  }

  /** Writes float64 rows to an F32 tensor in host memory from a row on. */
  static void store(Rows rows, Tensor tensor, int first) {
    MemorySegment memory = host(tensor);
    long at = tensor.byteOffset() + (long) first * rows.width() * Float.BYTES;
    for (int i = 0; i < rows.values().length; i++) {
      memory.set(Tensor.FLOAT, at + (long) i * Float.BYTES, (float) rows.values()[i]);
    }
  }

  static MemorySegment host(Tensor tensor) {
    return switch (tensor.storage()) {
      case Storage.Host host -> host.segment();
      case Storage.Device device ->
          throw new IllegalStateException(
              "tensors live on device "
                  + device.deviceId()
                  + " but recurrent operators compute on the host; use kernels of the CPU");
    };
  }
}
