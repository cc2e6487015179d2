package io.attention4j.sparse;

import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.operator.WeightSource;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.engine.tensor.Tensors;
import java.lang.foreign.Arena;

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

  /** Extents of a weight. */
  Shape shape(String name) {
    return required(name).shape();
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
