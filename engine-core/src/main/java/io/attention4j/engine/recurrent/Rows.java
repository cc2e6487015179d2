package io.attention4j.engine.recurrent;

import java.util.Arrays;
import java.util.function.DoubleUnaryOperator;

/**
 * One vector per token.
 *
 * @param values [tokens, width], row-major; not copied
 * @param width elements of a vector, at least 1
 */
public record Rows(double[] values, int width) {
  /** Checks that the values are whole rows. */
  public Rows {
    if (width < 1 || values.length % width != 0) {
      throw new IllegalArgumentException(
          values.length
              + " values are no rows of width "
              + width
              + "; the width must be at least 1 and divide their number");
    }
  }

  /** Number of rows. */
  public int tokens() {
    return values.length / width;
  }

  /** Element i of row t. */
  public double at(int t, int i) {
    return values[t * width + i];
  }

  /** The rows [from, to), copied. */
  public Rows slice(int from, int to) {
    return new Rows(Arrays.copyOfRange(values, from * width, to * width), width);
  }

  /** Every element mapped. */
  public Rows map(DoubleUnaryOperator function) {
    return new Rows(Arrays.stream(values).map(function).toArray(), width);
  }

  /** Every element times a factor. */
  public Rows scaled(double factor) {
    return map(x -> x * factor);
  }

  /**
   * The element-wise product; a factor of width 1 holds for its whole row.
   *
   * @throws IllegalArgumentException if the shapes do not fit; names both
   */
  public Rows times(Rows factor) {
    if (factor.tokens() != tokens() || factor.width != width && factor.width != 1) {
      throw new IllegalArgumentException(
          "cannot multiply rows "
              + this
              + " by "
              + factor
              + "; the factor needs the same shape or width 1");
    }
    double[] product = new double[values.length];
    for (int i = 0; i < product.length; i++) {
      product[i] = values[i] * factor.values[factor.width == 1 ? i / width : i];
    }
    return new Rows(product, width);
  }

  /** Every row divided by its Euclidean norm, as the delta family does with queries and keys. */
  public Rows l2Normalized() {
    double[] unit = new double[values.length];
    for (int t = 0; t < tokens(); t++) {
      double squares = 0;
      for (int i = 0; i < width; i++) {
        squares += at(t, i) * at(t, i);
      }
      double norm = Math.sqrt(squares);
      for (int i = 0; i < width; i++) {
        unit[t * width + i] = at(t, i) / norm;
      }
    }
    return new Rows(unit, width);
  }

  @Override
  public String toString() {
    return "[" + tokens() + ", " + width + "]";
  }
}
