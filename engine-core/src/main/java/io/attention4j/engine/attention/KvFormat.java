package io.attention4j.engine.attention;

import io.attention4j.engine.tensor.DType;
import java.util.List;

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

  /** 4-bit codes with an f16 step and minimum per 32 elements of a slot. */
  KvFormat Q4 = new Q4();

  /** Bytes of a page with this many slots. */
  long pageBytes(int capacity, int dim);

  /** Where the bytes of each slot are, so that caches can copy slots without knowing the format. */
  List<Region> regions(int capacity, int dim);

  /**
   * A part of a page in which slot s has the bytes [offset + s * slotBytes, offset + (s + 1) *
   * slotBytes).
   */
  record Region(long offset, int slotBytes) {}

  /** Unquantised numbers: element (slot, i) at (slot * dim + i) * size. */
  record Plain(DType dtype) implements KvFormat {
    /** Refuses other types. */
    public Plain {
      if (dtype != DType.F32 && dtype != DType.F16 && dtype != DType.BF16) {
        throw new IllegalArgumentException(
            dtype + " is no plain cache format; use F32, F16 or BF16");
      }
    }

    @Override
    public long pageBytes(int capacity, int dim) {
      return dtype.bytes((long) capacity * dim);
    }

    @Override
    public List<Region> regions(int capacity, int dim) {
      return List.of(new Region(0, dim * dtype.blockBytes()));
    }
  }

  /**
   * Symmetric 8-bit, one scale per slot: codes [capacity, dim] i8, then (from the next multiple of
   * 4 bytes) scales [capacity] f32; value = scale * code with scale = max|x| / 127 and code = x /
   * scale, rounded to the nearest integer. A slot with a value that is not finite reads as NaN.
   */
  record Q8() implements KvFormat {
    @Override
    public long pageBytes(int capacity, int dim) {
      return scaleOffset(capacity, dim) + (long) capacity * Float.BYTES;
    }

    @Override
    public List<Region> regions(int capacity, int dim) {
      return List.of(new Region(0, dim), new Region(scaleOffset(capacity, dim), Float.BYTES));
    }

    /** Byte offset of the scales. */
    public static long scaleOffset(int capacity, int dim) {
      return ((long) capacity * dim + 3) & ~3L;
    }
  }

  /**
   * Asymmetric 4-bit in groups of 32 consecutive elements of a slot, the last one shorter where dim
   * asks for it. Codes [capacity, codeBytes]: byte j of a group of n elements holds element j in
   * its low and element ceil(n / 2) + j in its high half. From the next multiple of 4 bytes
   * [capacity, groups] pairs of step and minimum, f16; value = step * code + minimum. A group with
   * a value that is not finite, or beyond half precision, reads as NaN. {@link Q4Slots} writes it.
   */
  record Q4() implements KvFormat {
    /** Elements that share a step and a minimum. */
    public static final int GROUP = 32;

    /** Bytes of a group's step and minimum. */
    public static final int PARAMETER_BYTES = 4;

    @Override
    public long pageBytes(int capacity, int dim) {
      return parameterOffset(capacity, dim) + (long) capacity * parameterBytes(dim);
    }

    @Override
    public List<Region> regions(int capacity, int dim) {
      return List.of(
          new Region(0, codeBytes(dim)),
          new Region(parameterOffset(capacity, dim), parameterBytes(dim)));
    }

    /** Bytes of a slot's codes. */
    public static int codeBytes(int dim) {
      return dim / GROUP * (GROUP / 2) + (dim % GROUP + 1) / 2;
    }

    /** Bytes of a slot's steps and minima. */
    public static int parameterBytes(int dim) {
      return (dim + GROUP - 1) / GROUP * PARAMETER_BYTES;
    }

    /** Byte offset of the steps and minima. */
    public static long parameterOffset(int capacity, int dim) {
      return ((long) capacity * codeBytes(dim) + 3) & ~3L;
    }
  }
}
