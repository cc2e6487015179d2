package io.attention4j.engine.tensor;

/**
 * Element types of tensors: plain numbers and the GGML block formats.
 *
 * <p>A block format stores {@link #blockSize()} consecutive elements of a row in {@link
 * #blockBytes()} bytes; a row's length must be a multiple of the block size. Layouts are those of
 * GGML (little-endian); {@link #ggmlId()} is the type number in GGUF files.
 */
public enum DType {
  F32(0, 1, 4),
  F16(1, 1, 2),
  BF16(30, 1, 2),
  F64(28, 1, 8),
  I8(24, 1, 1),
  I16(25, 1, 2),
  I32(26, 1, 4),
  I64(27, 1, 8),
  Q4_0(2, 32, 18),
  Q4_1(3, 32, 20),
  Q5_0(6, 32, 22),
  Q5_1(7, 32, 24),
  Q8_0(8, 32, 34),
  Q2_K(10, 256, 84),
  Q3_K(11, 256, 110),
  Q4_K(12, 256, 144),
  Q5_K(13, 256, 176),
  Q6_K(14, 256, 210);

  private static final DType[] VALUES = values();

  private final int ggmlId;
  private final int blockSize;
  private final int blockBytes;

  DType(int ggmlId, int blockSize, int blockBytes) {
    this.ggmlId = ggmlId;
    this.blockSize = blockSize;
    this.blockBytes = blockBytes;
  }

  /** The type number in GGUF files. */
  public int ggmlId() {
    return ggmlId;
  }

  /** Elements per block; 1 for plain types. */
  public int blockSize() {
    return blockSize;
  }

  /** Bytes per block. */
  public int blockBytes() {
    return blockBytes;
  }

  /** Whether elements are stored in blocks that share scales. */
  public boolean isBlocked() {
    return blockSize > 1;
  }

  /**
   * Bytes that {@code elements} consecutive elements take.
   *
   * @throws IllegalArgumentException if negative or not a multiple of the block size
   * @throws ArithmeticException if the result does not fit a long
   */
  public long bytes(long elements) {
    if (elements < 0 || elements % blockSize != 0) {
      throw new IllegalArgumentException(
          elements + " elements of " + this + " must be a non-negative multiple of " + blockSize);
    }
    return Math.multiplyExact(elements / blockSize, (long) blockBytes);
  }

  /**
   * The type with this GGUF number, or null if this library does not know it. Allocates nothing.
   */
  public static DType ofGgmlId(int ggmlId) {
    for (DType type : VALUES) {
      if (type.ggmlId == ggmlId) {
        return type;
      }
    }
    return null;
  }
}
