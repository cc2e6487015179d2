package io.attention4j.engine.tensor;

import java.util.Arrays;

/**
 * Extents of a tensor, outermost first (row-major). Immutable. A shape without dimensions is a
 * scalar of one element; an extent may be 0.
 */
public final class Shape {
  private final long[] extents;
  private final long elements;

  private Shape(long[] extents) {
    long product = 1;
    for (long extent : extents) {
      if (extent < 0) {
        throw new IllegalArgumentException(
            "extent " + extent + " of shape " + Arrays.toString(extents) + " is negative");
      }
      product = Math.multiplyExact(product, extent);
    }
    this.extents = extents;
    this.elements = product;
  }

  /**
   * A shape with these extents.
   *
   * @throws IllegalArgumentException if an extent is negative
   * @throws ArithmeticException if the number of elements does not fit a long
   */
  public static Shape of(long... extents) {
    return new Shape(extents.clone());
  }

  /** Number of dimensions. */
  public int rank() {
    return extents.length;
  }

  /** Extent of a dimension; a negative index counts from the last, -1 being the innermost. */
  public long extent(int dimension) {
    return extents[dimension < 0 ? extents.length + dimension : dimension];
  }

  /** Product of the extents. */
  public long elements() {
    return elements;
  }

  /** A copy of the extents. */
  public long[] extents() {
    return extents.clone();
  }

  /** Row-major strides in elements. */
  public long[] contiguousStrides() {
    long[] strides = new long[extents.length];
    long stride = 1;
    for (int i = extents.length - 1; i >= 0; i--) {
      strides[i] = stride;
      stride *= Math.max(1, extents[i]);
    }
    return strides;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Shape shape && Arrays.equals(extents, shape.extents);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(extents);
  }

  @Override
  public String toString() {
    return Arrays.toString(extents);
  }
}
