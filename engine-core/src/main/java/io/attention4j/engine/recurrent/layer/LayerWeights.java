package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.operator.WeightSource;
import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.tensor.RowCodec;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import java.util.Arrays;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * Weights of one layer as float64, by the names that a file such as safetensors gives them, or
 * drawn at random from a seed, which makes an untrained layer.
 */
public final class LayerWeights {
  private final WeightSource source;
  private final long seed;
  private final String prefix;
  private final String remedy;

  /**
   * Weights whose names start with a prefix.
   *
   * @param prefix with its separator, such as {@code layers.3.}; may be empty
   */
  public LayerWeights(WeightSource source, String prefix) {
    this(source, prefix, "");
  }

  /**
   * Weights whose names start with a prefix.
   *
   * @param remedy what to do if one is missing, appended to the message; may be empty
   */
  public LayerWeights(WeightSource source, String prefix, String remedy) {
    this(source, 0, prefix, remedy);
  }

  private LayerWeights(WeightSource source, long seed, String prefix, String remedy) {
    this.source = source;
    this.seed = seed;
    this.prefix = prefix;
    this.remedy = remedy;
  }

  /**
   * Untrained weights: matrices uniform within 1 / sqrt(first extent), norms 1, other vectors 0.
   * The same seed, prefix and name give the same numbers everywhere.
   */
  public static LayerWeights untrained(long seed, String prefix) {
    return new LayerWeights(null, seed, prefix, "");
  }

  /** The weights of a part of the layer. */
  public LayerWeights under(String part) {
    return new LayerWeights(source, seed, prefix + part + ".", remedy);
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
    if (source == null) {
      return drawn(name, wanted);
    }
    Optional<Tensor> found = source.weight(prefix + name);
    if (found.isEmpty()) {
      throw new IllegalArgumentException(
          "the weights lack '"
              + prefix
              + name
              + "' "
              + wanted
              + ", which this layer computes with"
              + remedy);
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

  private double[] drawn(String name, Shape shape) {
    double[] values = new double[Math.toIntExact(shape.elements())];
    if (shape.rank() < 2) {
      Arrays.fill(values, name.startsWith("norm") ? 1 : 0);
      return values;
    }
    SplittableRandom random = new SplittableRandom(31 * seed + (prefix + name).hashCode());
    double reach = 1 / Math.sqrt(shape.extent(0));
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextDouble(-reach, reach);
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
