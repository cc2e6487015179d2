package io.attention4j.sparse;

import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.operator.WeightSource;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.engine.tensor.Tensors;
import java.lang.foreign.Arena;
import java.util.Arrays;

/**
 * The weights of one layer of a method that was trained, from a file of their own.
 *
 * @param id name of the method
 * @param file where they are, for messages
 * @param prefix what precedes the names of this layer
 * @param source the weights
 */
record GateWeights(String id, String file, String prefix, WeightSource source) {
  /** Weights of a layer from a safetensors file under Hugging Face names. */
  static GateWeights open(
      String id, String file, LayerShape shape, String gate, OperatorContext context) {
    return new GateWeights(id, file, prefix(shape, gate), context.files().open(file));
  }

  /** "model.layers.3.self_attn." and the name of the part. */
  static String prefix(LayerShape shape, String gate) {
    return "model.layers." + shape.layer() + ".self_attn." + gate;
  }

  boolean has(String name) {
    return source.weight(prefix + name).isPresent();
  }

  /**
   * Elements of a weight of any float type.
   *
   * @throws IllegalArgumentException if it is missing or of another shape; names both
   */
  float[] floats(String name, long... extents) {
    Tensor stored = required(name);
    if (!stored.shape().equals(Shape.of(extents))) {
      throw new IllegalArgumentException(
          "attention '"
              + id
              + "' needs '"
              + prefix
              + name
              + "' of shape "
              + Shape.of(extents)
              + " but "
              + file
              + " has "
              + stored.shape()
              + "; use weights trained for this model and these settings");
    }
    try (Arena arena = Arena.ofConfined()) {
      return Tensors.convert(stored, DType.F32, arena).toFloats();
    }
  }

  /** The first extent of a weight. */
  long headsOf(String name) {
    Shape shape = required(name).shape();
    return shape.rank() == 0 ? 0 : shape.extent(0);
  }

  /**
   * The last extent of a projection to gate vectors, which are rotated as the layer's are.
   *
   * @throws IllegalArgumentException if it is another than the layer's; names both
   */
  int gateDim(String name, LayerShape layer) {
    Shape shape = required(name).shape();
    long dim = shape.rank() == 0 ? 0 : shape.extent(-1);
    boolean fits = layer.rope() == null ? dim >= 1 && dim <= Settings.MOST : dim == layer.headDim();
    if (!fits) {
      throw new IllegalArgumentException(
          "attention '"
              + id
              + "' needs '"
              + prefix
              + name
              + "' to give vectors like the heads of layer "
              + layer.layer()
              + ", of "
              + layer.headDim()
              + " elements, to rotate them alike, but "
              + file
              + " has "
              + shape
              + "; use a gate trained for this model");
    }
    return (int) dim;
  }

  /**
   * A weight by its first extent.
   *
   * @throws IllegalArgumentException as {@link #floats}
   */
  float[][] perHead(String name, int heads, long... rest) {
    long[] extents = new long[rest.length + 1];
    extents[0] = heads;
    System.arraycopy(rest, 0, extents, 1, rest.length);
    float[] all = floats(name, extents);
    float[][] parts = new float[heads][];
    int size = all.length / heads;
    for (int h = 0; h < heads; h++) {
      parts[h] = Arrays.copyOfRange(all, h * size, (h + 1) * size);
    }
    return parts;
  }

  private Tensor required(String name) {
    return source
        .weight(prefix + name)
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "attention '"
                        + id
                        + "' needs the weight '"
                        + prefix
                        + name
                        + "', which "
                        + file
                        + " lacks; use weights trained for this model, or softmax in this layer"));
  }
}
