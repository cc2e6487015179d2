package io.attention4j.engine.reference;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvFormat.Grouped;
import io.attention4j.engine.attention.KvFormat.Q4;
import io.attention4j.engine.attention.KvFormat.Q8;
import io.attention4j.engine.tensor.BFloat16;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Reads slots of pages in host memory. */
final class HostPages {
  private HostPages() {}

  /** The memory of a page. */
  static MemorySegment segment(Storage storage) {
    return switch (storage) {
      case Storage.Host host -> host.segment();
      case Storage.Device device ->
          throw new IllegalArgumentException(
              "a page lives on device "
                  + device.deviceId()
                  + "; reference kernels read host memory");
    };
  }

  /** Decodes the first {@code length} slots of a page to float64. */
  static void decode(
      Storage storage,
      long offset,
      KvFormat format,
      int capacity,
      int dim,
      int length,
      double[] target,
      int targetOffset) {
    MemorySegment page = segment(storage).asSlice(offset, format.pageBytes(capacity, dim));
    for (int i = 0; i < length * dim; i++) {
      target[targetOffset + i] =
          switch (format) {
            case KvFormat.Plain plain -> plain(page, plain.dtype(), i);
            case Q8 q8 ->
                (double) page.get(ValueLayout.JAVA_BYTE, i)
                    * page.get(Tensor.FLOAT, Q8.scaleOffset(capacity, dim) + (i / dim) * 4L);
            case Q4 q4 -> q4(page, capacity, dim, i / dim, i % dim);
            case Grouped grouped -> grouped(page, grouped, capacity, dim, i / dim, i % dim);
            case KvFormat.Staircase mixed ->
                throw new IllegalArgumentException("a page has one format of a staircase");
          };
    }
  }

  private static double q4(MemorySegment page, int capacity, int dim, int slot, int element) {
    int group = element / Q4.GROUP;
    int half = (Math.min(Q4.GROUP, dim - group * Q4.GROUP) + 1) / 2;
    int inGroup = element % Q4.GROUP;
    long codes = (long) slot * Q4.codeBytes(dim) + group * (Q4.GROUP / 2);
    int pair = page.get(ValueLayout.JAVA_BYTE, codes + inGroup % half) & 0xff;
    int code = inGroup < half ? pair % 16 : pair / 16;
    long parameters =
        Q4.parameterOffset(capacity, dim)
            + (long) slot * Q4.parameterBytes(dim)
            + group * Q4.PARAMETER_BYTES;
    double step = Float.float16ToFloat(page.get(Tensor.SHORT, parameters));
    return code * step + Float.float16ToFloat(page.get(Tensor.SHORT, parameters + Short.BYTES));
  }

  private static double grouped(
      MemorySegment page, Grouped format, int capacity, int dim, int slot, int element) {
    boolean channels = format.axis() == Grouped.Axis.CHANNEL;
    int line = channels ? element : slot;
    int column = channels ? slot : element;
    int columnInSegment = column % Grouped.SEGMENT;
    long word =
        column / Grouped.SEGMENT * format.segmentBytes(capacity, dim)
            + (long) (line / format.blockLines()) * Grouped.BLOCK_BYTES
            + columnInSegment % 16 * 4L;
    int shift = (line % format.blockLines() * 4 + columnInSegment / 16) * format.bits();
    int code = page.get(Tensor.INT, word) >>> shift & format.mostCode();
    long parameter = 2L * ((long) (column / format.group()) * format.lines(capacity, dim) + line);
    double step =
        Float.float16ToFloat(page.get(Tensor.SHORT, format.stepOffset(capacity, dim) + parameter));
    return code * step
        + Float.float16ToFloat(
            page.get(Tensor.SHORT, format.minimumOffset(capacity, dim) + parameter));
  }

  private static double plain(MemorySegment page, DType dtype, int index) {
    return switch (dtype) {
      case F32 -> page.get(Tensor.FLOAT, index * 4L);
      case F16 -> Float.float16ToFloat(page.get(Tensor.SHORT, index * 2L));
      case BF16 -> BFloat16.toFloat(page.get(Tensor.SHORT, index * 2L));
      default -> throw new IllegalArgumentException(dtype + " is no plain cache format");
    };
  }
}
