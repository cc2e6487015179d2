package io.attention4j.cli.conformance;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * A tensor of a case, every element as a double (exact for all types here but int64 beyond 2^53).
 *
 * @param dtype ONNX name: float32, float16, float64, int64, int32 or bool
 * @param shape extents, outermost first
 * @param values row-major
 */
record OnnxTensor(String dtype, int[] shape, double[] values) {
  /** Elements that a case file may hold: cases are small, a bad shape must not fill the memory. */
  private static final long MAX_ELEMENTS = 1 << 24;

  /**
   * Decodes a little-endian file.
   *
   * @throws IllegalArgumentException if the type is unknown or the size does not fit the shape
   */
  static OnnxTensor decode(String name, String dtype, int[] shape, byte[] bytes) {
    long elements = elements(name, shape);
    int size =
        switch (dtype) {
          case "float32", "int32" -> 4;
          case "float16" -> 2;
          case "float64", "int64" -> 8;
          case "bool" -> 1;
          default ->
              throw new IllegalArgumentException(
                  name
                      + " has type "
                      + dtype
                      + "; known are float32, float16, float64, int64, int32 and bool");
        };
    if (bytes.length != elements * size) {
      throw new IllegalArgumentException(
          name
              + " has "
              + bytes.length
              + " bytes but "
              + dtype
              + Arrays.toString(shape)
              + " needs "
              + elements * size);
    }
    ByteBuffer data = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    double[] values = new double[(int) elements];
    for (int i = 0; i < values.length; i++) {
      values[i] =
          switch (dtype) {
            case "float32" -> data.getFloat();
            case "int32" -> data.getInt();
            case "float16" -> Float.float16ToFloat(data.getShort());
            case "float64" -> data.getDouble();
            case "int64" -> data.getLong();
            default -> data.get();
          };
    }
    return new OnnxTensor(dtype, shape, values);
  }

  private static long elements(String name, int[] shape) {
    long elements = 1;
    for (int extent : shape) {
      elements *= extent;
      if (extent < 0 || elements > MAX_ELEMENTS) {
        throw new IllegalArgumentException(
            name
                + " has shape "
                + Arrays.toString(shape)
                + "; extents must not be negative and elements at most "
                + MAX_ELEMENTS);
      }
    }
    return elements;
  }

  /** Number of dimensions. */
  int rank() {
    return shape.length;
  }

  /** Extent of a dimension; negative counts from the last. */
  int extent(int dimension) {
    return shape[dimension < 0 ? shape.length + dimension : dimension];
  }

  /** Product of the extents from {@code from} (inclusive) to {@code to} (exclusive). */
  int product(int from, int to) {
    int product = 1;
    for (int i = from; i < to; i++) {
      product *= shape[i];
    }
    return product;
  }

  /** Elements as floats. */
  float[] floats() {
    float[] floats = new float[values.length];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = (float) values[i];
    }
    return floats;
  }

  /**
   * Elements of [batch, heads, rows, dim], or of [batch, rows, heads * dim], as [batch, rows,
   * heads, dim].
   */
  float[] rowsFirst(int heads) {
    float[] source = floats();
    if (rank() == 3) {
      return source;
    }
    int rows = shape[2];
    int dim = shape[3];
    float[] result = new float[source.length];
    for (int i = 0; i < source.length; i++) {
      int b = i / (heads * rows * dim);
      int h = i / (rows * dim) % heads;
      int r = i / dim % rows;
      result[((b * rows + r) * heads + h) * dim + i % dim] = source[i];
    }
    return result;
  }

  /** The inverse of {@link #rowsFirst} for rank 4. */
  static double[] headsFirst(float[] source, int batch, int heads, int rows, int dim) {
    double[] result = new double[source.length];
    for (int i = 0; i < source.length; i++) {
      int b = i / (rows * heads * dim);
      int r = i / (heads * dim) % rows;
      int h = i / dim % heads;
      result[((b * heads + h) * rows + r) * dim + i % dim] = source[i];
    }
    return result;
  }

  /** Floats as doubles. */
  static double[] doubles(float[] values) {
    double[] result = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      result[i] = values[i];
    }
    return result;
  }
}
