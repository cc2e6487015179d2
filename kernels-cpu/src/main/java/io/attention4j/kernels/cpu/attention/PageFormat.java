package io.attention4j.kernels.cpu.attention;

import static io.attention4j.engine.attention.KvFormat.Q8.scaleOffset;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.tensor.BFloat16;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Host pages as floats. An enum rather than {@link KvFormat} so that loops switch on a constant.
 */
public enum PageFormat {
  /** IEEE single precision. */
  F32(4),
  /** IEEE half precision. */
  F16(2),
  /** bfloat16. */
  BF16(2),
  /** i8 codes and a scale per slot. */
  Q8(1);

  private final int elementBytes;

  PageFormat(int elementBytes) {
    this.elementBytes = elementBytes;
  }

  /**
   * The constant of a format that kernels read where it lies; that of the tile for the others,
   * whose pages are expanded by tiles: Q4, groups, and all pages of a staircase.
   */
  public static PageFormat of(KvFormat format) {
    return switch (format) {
      case KvFormat.Plain plain ->
          switch (plain.dtype()) {
            case F32 -> F32;
            case F16 -> F16;
            case BF16 -> BF16;
            default -> throw new IllegalArgumentException(plain.dtype() + " is no cache format");
          };
      case KvFormat.Q8 q8 -> Q8;
      case KvFormat.Q4 q4 -> F32;
      case KvFormat.Grouped grouped -> F32;
      case KvFormat.Staircase staircase -> F32;
    };
  }

  /** Whether pages of a format are expanded to a tile of floats. */
  public static boolean expands(KvFormat format) {
    return !(format instanceof KvFormat.Plain || format instanceof KvFormat.Q8);
  }

  /** Bytes of an element (of its code). */
  public int elementBytes() {
    return elementBytes;
  }

  /** Memory of a page. */
  public static MemorySegment host(Storage storage) {
    return switch (storage) {
      case Storage.Host host -> host.segment();
      case Storage.Device device ->
          throw new IllegalArgumentException(
              "a page or tensor lives on device "
                  + device.deviceId()
                  + " but CPU kernels read host memory; copy it first");
    };
  }

  /** Scale of a slot of a Q8 page that begins at {@code offset}. */
  public static float scale(MemorySegment memory, long offset, int capacity, int dim, int slot) {
    long at = offset + scaleOffset(capacity, dim) + (long) slot * Float.BYTES;
    return memory.get(Tensor.FLOAT, at);
  }

  /**
   * Reads slots [slot, slot + count) of a page of vectors of {@code dim} elements that begins at
   * byte {@code offset} to {@code to}, row-major from {@code at}.
   */
  void read(
      MemorySegment memory,
      long offset,
      int capacity,
      int dim,
      int slot,
      int count,
      float[] to,
      int at) {
    long from = offset + (long) slot * dim * elementBytes;
    int elements = count * dim;
    switch (this) {
      case F32 -> MemorySegment.copy(memory, Tensor.FLOAT, from, to, at, elements);
      case F16 -> {
        for (int i = 0; i < elements; i++) {
          to[at + i] = Float.float16ToFloat(memory.get(Tensor.SHORT, from + 2L * i));
        }
      }
      case BF16 -> {
        for (int i = 0; i < elements; i++) {
          to[at + i] = BFloat16.toFloat(memory.get(Tensor.SHORT, from + 2L * i));
        }
      }
      case Q8 -> {
        for (int r = 0; r < count; r++) {
          float scale = scale(memory, offset, capacity, dim, slot + r);
          for (int i = r * dim; i < (r + 1) * dim; i++) {
            to[at + i] = scale * memory.get(ValueLayout.JAVA_BYTE, from + i);
          }
        }
      }
    }
  }
}
