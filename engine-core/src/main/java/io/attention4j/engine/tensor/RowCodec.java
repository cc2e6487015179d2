package io.attention4j.engine.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * Converts runs of elements between one {@link DType} and f32: the readable reference for every
 * storage format, in plain loops. Kernels have their own fast paths and are tested against it.
 *
 * <p>Block layouts and results are GGML's, bit for bit: decoding follows its {@code
 * dequantize_row_*}, encoding its reference quantisers {@code quantize_row_*_ref} (without an
 * importance matrix). Data is little-endian and may lie at any alignment, in native or heap
 * segments. Codecs are stateless; any thread may use one. Decoding allocates nothing.
 */
public abstract sealed class RowCodec permits PlainRowCodec, LegacyRowCodec, KQuantRowCodec {
  private final DType dtype;

  RowCodec(DType dtype) {
    this.dtype = dtype;
  }

  /** The codec of a type; every type has one. Ask once, not per row. */
  public static RowCodec of(DType dtype) {
    return switch (dtype) {
      case F32, F16, BF16, F64, I8, I16, I32, I64 -> new PlainRowCodec(dtype);
      case Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 -> new LegacyRowCodec(dtype);
      case Q2_K, Q3_K, Q4_K, Q5_K, Q6_K -> new KQuantRowCodec(dtype);
    };
  }

  /** The type this codec reads, and writes if {@link #canEncode()}. */
  public final DType dtype() {
    return dtype;
  }

  /** Whether {@link #encode} works: for F32, F16, BF16, Q8_0, Q4_0, Q4_K and Q6_K. */
  public final boolean canEncode() {
    return switch (dtype) {
      case F32, F16, BF16, Q8_0, Q4_0, Q4_K, Q6_K -> true;
      case F64, I8, I16, I32, I64, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q5_K -> false;
    };
  }

  /**
   * Reads {@code elements} elements that start at a byte of {@code source} into {@code target}.
   * F64, I32 and I64 round to the nearest float; every other type is exact up to the arithmetic of
   * its block format. A block whose scale is infinite or NaN decodes to infinities and NaN.
   *
   * @param elements how many; a multiple of the block size
   * @throws IllegalArgumentException if {@code elements} is negative or splits a block
   * @throws IndexOutOfBoundsException if a range leaves the segment or the array
   */
  public final void decode(
      MemorySegment source, long byteOffset, float[] target, int targetOffset, int elements) {
    check(source, byteOffset, target.length, targetOffset, elements);
    decodeChecked(source, byteOffset, target, targetOffset, elements);
  }

  /**
   * Writes {@code elements} floats as this type from a byte of {@code target} on. F16 and BF16
   * round to nearest even and keep infinities and NaN; block formats hold only finite numbers.
   * After an exception the target's bytes in this range are unspecified.
   *
   * @param elements how many; a multiple of the block size
   * @throws IllegalArgumentException if {@code elements} is negative or splits a block, or, for a
   *     block format, if a value is not finite or so large that its block's scale exceeds F16
   * @throws IndexOutOfBoundsException if a range leaves the array or the segment
   * @throws UnsupportedOperationException unless {@link #canEncode()}
   */
  public final void encode(
      float[] source, int sourceOffset, MemorySegment target, long byteOffset, int elements) {
    if (!canEncode()) {
      throw new UnsupportedOperationException(notEncodable());
    }
    check(target, byteOffset, source.length, sourceOffset, elements);
    if (dtype.isBlocked()) {
      for (int i = 0; i < elements; i++) {
        if (!Float.isFinite(source[sourceOffset + i])) {
          throw new IllegalArgumentException(
              "element "
                  + i
                  + " is "
                  + source[sourceOffset + i]
                  + "; "
                  + dtype
                  + " holds only finite numbers, so repair the source or store it as F16 or F32");
        }
      }
    }
    encodeChecked(source, sourceOffset, target, byteOffset, elements);
  }

  abstract void decodeChecked(
      MemorySegment source, long byteOffset, float[] target, int targetOffset, int elements);

  abstract void encodeChecked(
      float[] source, int sourceOffset, MemorySegment target, long byteOffset, int elements);

  final String notEncodable() {
    String encodable =
        Arrays.stream(DType.values())
            .filter(type -> of(type).canEncode())
            .map(DType::name)
            .collect(Collectors.joining(", "));
    return dtype + " can be read but not written; choose one of " + encodable;
  }

  private void check(
      MemorySegment segment, long byteOffset, int arrayLength, int arrayOffset, int elements) {
    long bytes = dtype.bytes(elements);
    if (byteOffset < 0 || byteOffset > segment.byteSize() - bytes) {
      throw new IndexOutOfBoundsException(
          elements
              + " elements of "
              + dtype
              + " at byte "
              + byteOffset
              + " take "
              + bytes
              + " bytes but the segment has "
              + segment.byteSize());
    }
    if (arrayOffset < 0 || arrayOffset > arrayLength - elements) {
      throw new IndexOutOfBoundsException(
          elements
              + " elements at index "
              + arrayOffset
              + " do not fit an array of "
              + arrayLength);
    }
  }

  /** An unsigned byte. */
  static int u8(MemorySegment segment, long byteOffset) {
    return segment.get(ValueLayout.JAVA_BYTE, byteOffset) & 0xff;
  }

  /** Stores the low eight bits. */
  static void putByte(MemorySegment segment, long byteOffset, int value) {
    segment.set(ValueLayout.JAVA_BYTE, byteOffset, (byte) value);
  }

  /** The F16 at a byte. */
  static float half(MemorySegment segment, long byteOffset) {
    return Float.float16ToFloat(segment.get(Tensor.SHORT, byteOffset));
  }

  /**
   * Stores a block's scale or minimum as F16 and returns what was stored.
   *
   * @throws IllegalArgumentException if it rounds to infinity
   */
  final float putScale(MemorySegment segment, long byteOffset, float scale) {
    requireScale(scale);
    short bits = Float.floatToFloat16(scale);
    segment.set(Tensor.SHORT, byteOffset, bits);
    return Float.float16ToFloat(bits);
  }

  /** Refuses a scale that is no number or rounds to infinity in F16. */
  final void requireScale(float scale) {
    if (!Float.isFinite(Float.float16ToFloat(Float.floatToFloat16(scale)))) {
      throw new IllegalArgumentException(
          "values of a block are so large that its "
              + dtype
              + " scale "
              + scale
              + " exceeds the F16 range of 65504; store the tensor as F32 or BF16");
    }
  }
}
