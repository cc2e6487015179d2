package io.attention4j.kernels.cpu.simd;

import io.attention4j.engine.tensor.BFloat16;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.attention.PageFormat;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Elements of a strip of rows as floats, for what no block of {@link RowBlocks} covers: plain loops
 * that C2 vectorises, with the CPU's own conversion of half precision.
 */
final class RowFloats {
  private RowFloats() {}

  /**
   * to[k][d - first] = element d of row k for d in [first, dim); Q8 codes without their scale.
   *
   * @param from byte of the first row
   * @param stride bytes from row to row
   * @param to rows {@code width} floats apart
   */
  static void read(
      PageFormat format,
      MemorySegment memory,
      long from,
      long stride,
      int rows,
      int first,
      int dim,
      float[] to,
      int width) {
    long start = from + (long) first * format.elementBytes();
    int count = dim - first;
    for (int k = 0; k < rows; k++) {
      long row = start + k * stride;
      int at = k * width;
      switch (format) {
        case F32 -> MemorySegment.copy(memory, Tensor.FLOAT, row, to, at, count);
        case F16 -> half(memory, row, to, at, count);
        case BF16 -> brain(memory, row, to, at, count);
        case Q8 -> codes(memory, row, to, at, count);
      }
    }
  }

  private static void half(MemorySegment memory, long row, float[] to, int at, int count) {
    for (int d = 0; d < count; d++) {
      to[at + d] = Float.float16ToFloat(memory.get(Tensor.SHORT, row + 2L * d));
    }
  }

  private static void brain(MemorySegment memory, long row, float[] to, int at, int count) {
    for (int d = 0; d < count; d++) {
      to[at + d] = BFloat16.toFloat(memory.get(Tensor.SHORT, row + 2L * d));
    }
  }

  private static void codes(MemorySegment memory, long row, float[] to, int at, int count) {
    for (int d = 0; d < count; d++) {
      to[at + d] = memory.get(ValueLayout.JAVA_BYTE, row + d);
    }
  }

  /** One element; a Q8 code without its scale. */
  static float element(PageFormat format, MemorySegment memory, long at) {
    return switch (format) {
      case F32 -> memory.get(Tensor.FLOAT, at);
      case F16 -> Float.float16ToFloat(memory.get(Tensor.SHORT, at));
      case BF16 -> BFloat16.toFloat(memory.get(Tensor.SHORT, at));
      case Q8 -> memory.get(ValueLayout.JAVA_BYTE, at);
    };
  }
}
