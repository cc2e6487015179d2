package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.operator.WeightSource;
import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.tensor.RowCodec;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import java.util.Arrays;
import java.util.Optional;

/** Weights of one layer as float64, by the names that a file such as safetensors gives them. */
public final class LayerWeights {
  private final WeightSource source;
  private final String prefix;

  /**
   * Weights whose names start with a prefix.
   *
   * @param prefix with its separator, such as {@code layers.3.}; may be empty
   */
  public LayerWeights(WeightSource source, String prefix) {
    this.source = source;
    this.prefix = prefix;
  }

  /** The weights of a part of the layer. */
  public LayerWeights under(String part) {
    return new LayerWeights(source, prefix + part + ".");
  }

  /**
   * A weight as rows of its last dimension.
   *
   * @throws IllegalArgumentException if there is none, its shape is another or it is not finite
   */
  public Rows rows(String name, long... extents) {
    double[] values = values(name, extents);
    return new Rows(values, Math.toIntExact(extents[extents.length - 1]));
  }

  /** A matrix [in, out] without a bias. */
  public Projection projection(String name, int in, int out) {
    return new Projection(rows(name, in, out));
  }

  /**
   * All elements of a weight, row-major.
   *
   * @throws IllegalArgumentException if there is none, its shape is another or it is not finite
   */
  public double[] values(String name, long... extents) {
    Shape wanted = Shape.of(extents);
    Optional<Tensor> found = source.weight(prefix + name);
    if (found.isEmpty()) {
      throw new IllegalArgumentException(
          "the weights lack '"
              + prefix
              + name
              + "' "
              + wanted
              + ", which this layer computes with");
    }
    Tensor tensor = found.get();
    if (!tensor.shape().equals(wanted) || !tensor.isContiguous()) {
      throw new IllegalArgumentException(
          "'" + prefix + name + "' is " + tensor + " but this layer needs " + wanted);
    }
    double[] values = decoded(tensor);
    if (!Arrays.stream(values).allMatch(Double::isFinite)) {
      throw new IllegalArgumentException(
          "'" + prefix + name + "' has elements that are not finite");
    }
    return values;
  }

  private static double[] decoded(Tensor tensor) {
    int elements = Math.toIntExact(tensor.shape().elements());
    float[] floats = new float[elements];
    RowCodec.of(tensor.dtype()).decode(tensor.segment(), 0, floats, 0, elements);
    double[] values = new double[elements];
    for (int i = 0; i < elements; i++) {
      values[i] = floats[i];
    }
    return values;
  }
}
