package io.attention4j.engine.attention;

import io.attention4j.engine.tensor.DType;

/**
 * How a page stores vectors of one kind (keys or values). A page holds {@code capacity} slots of
 * {@code dim} elements, row-major.
 */
public sealed interface KvFormat {
  /** F32, the widest and the default. */
  KvFormat F32 = new Plain(DType.F32);

  /** IEEE half precision. */
  KvFormat F16 = new Plain(DType.F16);

  /** bfloat16. */
  KvFormat BF16 = new Plain(DType.BF16);

  /** Signed 8-bit codes with one f32 scale per slot. */
  KvFormat Q8 = new Q8();

  /** Bytes of a page with this many slots. */
  long pageBytes(int capacity, int dim);

  /** Unquantised numbers: element (slot, i) at (slot * dim + i) * size. */
  record Plain(DType dtype) implements KvFormat {
    /** Refuses other types. */
    public Plain {
      if (dtype != DType.F32 && dtype != DType.F16 && dtype != DType.BF16) {
        throw new IllegalArgumentException(dtype + " is no plain cache format; use F32, F16 or BF16");
      }
    }

    @Override
    public long pageBytes(int capacity, int dim) {
      return dtype.bytes((long) capacity * dim);
    }
  }

  /**
   * Symmetric 8-bit, one scale per slot: codes [capacity, dim] i8, then (from the next multiple of 4
   * bytes) scales [capacity] f32; value = scale * code with scale = max|x| / 127 and
   * code = x / scale, rounded to the nearest integer. A slot with a value that is not finite reads as NaN.
   */
  record Q8() implements KvFormat {
    @Override
    public long pageBytes(int capacity, int dim) {
      return scaleOffset(capacity, dim) + (long) capacity * Float.BYTES;
    }

    /** Byte offset of the scales. */
    public static long scaleOffset(int capacity, int dim) {
      return ((long) capacity * dim + 3) & ~3L;
    }
  }
}
