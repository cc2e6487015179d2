package io.attention4j.engine.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Operations on whole host tensors that belong to no kernel. */
public final class Tensors {
  /** Elements converted at a time; a multiple of every block size. */
  private static final int CHUNK_ELEMENTS = 4096;

  private Tensors() {}

  /**
   * A row-major copy as another type, converted through f32, one row (the innermost dimension) at a
   * time. Conversion to the type it has already copies the stored values unchanged, so every type
   * can be copied to itself. The source may be strided; it is only read.
   *
   * @param source any type, in host memory
   * @param target F32, F16, BF16, Q8_0, Q4_0, Q4_K or Q6_K; a row must fill whole blocks
   * @param arena owner of the result
   * @throws IllegalArgumentException if {@code target} cannot be encoded, if a row does not fill
   *     whole blocks of it, or if a value does not fit it (see {@link RowCodec#encode})
   * @throws IllegalStateException if the source lives on a device
   */
  public static Tensor convert(Tensor source, DType target, Arena arena) {
    Shape shape = source.shape();
    long rowElements = shape.rank() == 0 ? 1 : shape.extent(-1);
    RowCodec decoder = RowCodec.of(source.dtype());
    RowCodec encoder = RowCodec.of(target);
    if (source.dtype() != target && !encoder.canEncode()) {
      throw new IllegalArgumentException(encoder.notEncodable());
    }
    if (rowElements % target.blockSize() != 0) {
      throw new IllegalArgumentException(
          "rows of "
              + rowElements
              + " elements of "
              + source
              + " do not fill blocks of "
              + target.blockSize()
              + ", which "
              + target
              + " needs; store it as F16, BF16 or F32");
    }
    Tensor result = Tensor.allocate(arena, target, shape.extents());
    if (shape.elements() == 0) {
      return result;
    }
    MemorySegment from = source.segment();
    MemorySegment to = result.segment();
    long rowStride = shape.rank() == 0 ? 1 : source.stride(-1);
    float[] chunk = new float[(int) Math.min(CHUNK_ELEMENTS, rowElements)];
    for (long row = 0; row < shape.elements() / rowElements; row++) {
      long sourceElement = rowStart(source, row);
      long targetElement = row * rowElements;
      for (long done = 0; done < rowElements; done += chunk.length) {
        int elements = (int) Math.min(chunk.length, rowElements - done);
        long first = sourceElement + done * rowStride;
        long targetByte = target.bytes(targetElement + done);
        if (source.dtype() == target) {
          copy(from, first, rowStride, to, targetByte, elements, target);
        } else {
          decode(decoder, from, first, rowStride, chunk, elements);
          encoder.encode(chunk, 0, to, targetByte, elements);
        }
      }
    }
    return result;
  }

  /** Element offset of a row, counting rows in row-major order over the outer dimensions. */
  private static long rowStart(Tensor tensor, long row) {
    long offset = 0;
    for (int dimension = tensor.shape().rank() - 2; dimension >= 0; dimension--) {
      long extent = tensor.extent(dimension);
      offset += row % extent * tensor.stride(dimension);
      row /= extent;
    }
    return offset;
  }

  private static void decode(
      RowCodec codec, MemorySegment from, long first, long stride, float[] chunk, int elements) {
    DType dtype = codec.dtype();
    if (stride == 1) {
      codec.decode(from, dtype.bytes(first), chunk, 0, elements);
      return;
    }
    for (int i = 0; i < elements; i++) {
      codec.decode(from, dtype.bytes(first + i * stride), chunk, i, 1);
    }
  }

  private static void copy(
      MemorySegment from,
      long first,
      long stride,
      MemorySegment to,
      long targetByte,
      int elements,
      DType dtype) {
    if (stride == 1) {
      MemorySegment.copy(from, dtype.bytes(first), to, targetByte, dtype.bytes(elements));
      return;
    }
    int elementBytes = dtype.blockBytes();
    for (int i = 0; i < elements; i++) {
      long source = dtype.bytes(first + i * stride);
      MemorySegment.copy(from, source, to, targetByte + (long) i * elementBytes, elementBytes);
    }
  }
}
