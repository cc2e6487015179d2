package io.attention4j.engine.attention;

import io.attention4j.engine.tensor.DType;
import java.util.List;
import java.util.Objects;

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

  /**
   * Where the bytes of each slot are, so that caches can copy slots without knowing the format;
   * empty where slots share bytes, so that pages are copied whole.
   */
  List<Region> regions(int capacity, int dim);

  /** Whether a page of this format may lie where this one is asked for. */
  default boolean admits(KvFormat page) {
    return equals(page);
  }

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

  /**
   * Asymmetric codes of 2, 4 or 8 bits that share a step and a minimum in groups along one axis, of
   * pages that are written whole: the two layouts of KIVI (Liu et al. 2024, arXiv 2402.02750),
   * which groups keys by channel and values by token. value = step * code + minimum. A group with a
   * value that is not finite, or beyond half precision, reads as NaN. {@link GroupedPages} writes
   * and reads it.
   *
   * <p>A page is a matrix whose rows, its <i>lines</i>, are grouped: lines are channels and columns
   * slots for {@link Axis#CHANNEL}, lines are slots and columns elements for {@link Axis#TOKEN}.
   * Its columns are cut into segments of {@value #SEGMENT}, a segment into blocks of 8 / bits
   * lines, and a block is 16 words of 32 bits, little-endian: word j holds the columns j, 16 + j,
   * 32 + j and 48 + j of its first line in its lowest bits, then those of the next line. A vector
   * of words thus gives the codes of neighbouring columns by one shift and one mask, whatever its
   * width. After the blocks of all segments come the steps, f16 [groups of a line][lines], then the
   * minima alike.
   *
   * @param bits of a code: 2, 4 or 8
   * @param axis what a line is
   * @param group columns that share a step and a minimum: 32, 64 or 128
   */
  record Grouped(int bits, Axis axis, int group) implements KvFormat {
    /** Columns of a segment. */
    public static final int SEGMENT = 64;

    /** Bytes of a block. */
    public static final int BLOCK_BYTES = 64;

    /** What shares steps and minima. */
    public enum Axis {
      /** Consecutive slots of one channel. */
      CHANNEL,
      /** Consecutive elements of one slot. */
      TOKEN
    }

    /** Refuses other widths and group sizes. */
    public Grouped {
      if (bits != 2 && bits != 4 && bits != 8) {
        throw new IllegalArgumentException("codes of " + bits + " bits; use 2, 4 or 8");
      }
      if (group != 32 && group != 64 && group != 128) {
        throw new IllegalArgumentException("groups of " + group + " numbers; use 32, 64 or 128");
      }
      Objects.requireNonNull(axis, "axis");
    }

    @Override
    public long pageBytes(int capacity, int dim) {
      return minimumOffset(capacity, dim) + 2L * groups(capacity, dim) * lines(capacity, dim);
    }

    @Override
    public List<Region> regions(int capacity, int dim) {
      return List.of();
    }

    /** The largest code. */
    public int mostCode() {
      return (1 << bits) - 1;
    }

    /** Lines of a page. */
    public int lines(int capacity, int dim) {
      return axis == Axis.CHANNEL ? dim : capacity;
    }

    /** Columns of a page. */
    public int columns(int capacity, int dim) {
      return axis == Axis.CHANNEL ? capacity : dim;
    }

    /** Groups of a line. */
    public int groups(int capacity, int dim) {
      return Math.ceilDiv(columns(capacity, dim), group);
    }

    /** Lines of a block. */
    public int blockLines() {
      return 8 / bits;
    }

    /** Bytes of the blocks of a segment. */
    public long segmentBytes(int capacity, int dim) {
      return (long) Math.ceilDiv(lines(capacity, dim), blockLines()) * BLOCK_BYTES;
    }

    /** Byte offset of the steps. */
    public long stepOffset(int capacity, int dim) {
      return Math.ceilDiv(columns(capacity, dim), SEGMENT) * segmentBytes(capacity, dim);
    }

    /** Byte offset of the minima. */
    public long minimumOffset(int capacity, int dim) {
      return stepOffset(capacity, dim) + 2L * groups(capacity, dim) * lines(capacity, dim);
    }
  }

  /**
   * Pages of several formats in one cache, each of which says its own: new tokens in {@code
   * newest}, older pages in one of {@code older}. No page has this format itself.
   *
   * @param newest what new tokens are written in
   * @param older what whole pages may be stored in, in the order of age
   */
  record Staircase(Plain newest, List<Grouped> older) implements KvFormat {
    /** Copies the list. */
    public Staircase {
      Objects.requireNonNull(newest, "newest");
      older = List.copyOf(older);
    }

    /** Bytes that suffice for a page of any of the formats. */
    @Override
    public long pageBytes(int capacity, int dim) {
      long most = newest.pageBytes(capacity, dim);
      for (Grouped format : older) {
        most = Math.max(most, format.pageBytes(capacity, dim));
      }
      return most;
    }

    @Override
    public List<Region> regions(int capacity, int dim) {
      return List.of();
    }

    @Override
    public boolean admits(KvFormat page) {
      return newest.equals(page) || older.contains(page);
    }
  }
}
