package io.attention4j.engine.reference;

import io.attention4j.engine.attention.KvFormat;
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
          };
    }
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
