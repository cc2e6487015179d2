package io.attention4j.engine.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Objects;

/**
 * A typed, strided view of memory. A tensor owns nothing: its storage belongs to one {@link Arena}
 * or device, and every view ({@link #slice}, {@link #reshape}) shares it. Using a tensor after its
 * owner closed throws {@link IllegalStateException}.
 *
 * <p>Host data is little-endian. Strides count elements; the innermost stride of a block format is
 * 1 and its rows start on block boundaries. Instances are immutable (the memory is not) and safe to
 * share; concurrent writes to the same elements are the caller's affair.
 */
public final class Tensor {
  /** Unaligned little-endian f32, the layout of every F32 element. */
  public static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Unaligned little-endian 16-bit word: F16, BF16 and I16 elements. */
  public static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Unaligned little-endian 32-bit word. */
  public static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Bytes to which allocations are aligned: one cache line, one 512-bit vector. */
  public static final long ALIGNMENT_BYTES = 64;

  private final Storage storage;
  private final DType dtype;
  private final Shape shape;
  private final long[] strides;
  private final long byteOffset;

  private Tensor(Storage storage, DType dtype, Shape shape, long[] strides, long byteOffset) {
    this.storage = Objects.requireNonNull(storage, "storage");
    this.dtype = Objects.requireNonNull(dtype, "dtype");
    this.shape = Objects.requireNonNull(shape, "shape");
    this.strides = strides;
    this.byteOffset = byteOffset;
    long needed = byteOffset + extentBytes(dtype, shape, strides);
    if (byteOffset < 0 || needed > storage.byteSize()) {
      throw new IllegalArgumentException(
          "a tensor of "
              + dtype
              + shape
              + " at byte "
              + byteOffset
              + " needs "
              + needed
              + " bytes of storage but there are "
              + storage.byteSize());
    }
  }

  /**
   * Zero-filled host tensor, row-major, aligned to {@link #ALIGNMENT_BYTES}; owned by the arena.
   */
  public static Tensor allocate(Arena arena, DType dtype, long... extents) {
    Shape shape = Shape.of(extents);
    long bytes = extentBytes(dtype, shape, shape.contiguousStrides());
    return of(arena.allocate(Math.max(1, bytes), ALIGNMENT_BYTES), dtype, shape);
  }

  /** Row-major tensor over the first bytes of a host segment. */
  public static Tensor of(MemorySegment segment, DType dtype, Shape shape) {
    return of(new Storage.Host(segment), dtype, shape, 0);
  }

  /** Row-major tensor at a byte offset of any storage. */
  public static Tensor of(Storage storage, DType dtype, Shape shape, long byteOffset) {
    return new Tensor(storage, dtype, shape, shape.contiguousStrides(), byteOffset);
  }

  /** F32 tensor in the arena with a copy of the values. */
  public static Tensor ofFloats(Arena arena, float[] values, long... extents) {
    Tensor tensor = allocate(arena, DType.F32, extents);
    if (tensor.shape.elements() != values.length) {
      throw new IllegalArgumentException(
          values.length + " values do not fill shape " + tensor.shape);
    }
    MemorySegment.copy(values, 0, tensor.segment(), FLOAT, 0, values.length);
    return tensor;
  }

  /** Where the bytes are. */
  public Storage storage() {
    return storage;
  }

  /** Element type. */
  public DType dtype() {
    return dtype;
  }

  /** Extents. */
  public Shape shape() {
    return shape;
  }

  /** Extent of a dimension; negative counts from the last. */
  public long extent(int dimension) {
    return shape.extent(dimension);
  }

  /** Stride of a dimension in elements; negative counts from the last. */
  public long stride(int dimension) {
    return strides[dimension < 0 ? strides.length + dimension : dimension];
  }

  /** Byte offset of the first element inside the storage. */
  public long byteOffset() {
    return byteOffset;
  }

  /** Whether elements lie row-major without gaps. */
  public boolean isContiguous() {
    long expected = 1;
    for (int i = strides.length - 1; i >= 0; i--) {
      if (shape.extent(i) != 1 && strides[i] != expected) {
        return false;
      }
      expected *= Math.max(1, shape.extent(i));
    }
    return true;
  }

  /** Bytes of the elements when contiguous. */
  public long byteSize() {
    return dtype.bytes(shape.elements());
  }

  /**
   * Host memory from this tensor's first element on.
   *
   * @throws IllegalStateException if the storage is on a device; copy it to the host first
   */
  public MemorySegment segment() {
    return switch (storage) {
      case Storage.Host host ->
          byteOffset == 0 ? host.segment() : host.segment().asSlice(byteOffset);
      case Storage.Device device ->
          throw new IllegalStateException(
              "tensor lives on device " + device.deviceId() + "; copy it to the host first");
    };
  }

  /** Same elements, other extents; needs a contiguous tensor. */
  public Tensor reshape(long... extents) {
    Shape other = Shape.of(extents);
    if (other.elements() != shape.elements() || !isContiguous()) {
      throw new IllegalArgumentException(
          "cannot view " + (isContiguous() ? "" : "non-contiguous ") + shape + " as " + other);
    }
    return new Tensor(storage, dtype, other, other.contiguousStrides(), byteOffset);
  }

  /** Entries {@code from} to {@code from + length - 1} of a dimension, as a view. */
  public Tensor slice(int dimension, long from, long length) {
    if (from < 0 || length < 0 || from + length > shape.extent(dimension)) {
      throw new IndexOutOfBoundsException(
          "slice ["
              + from
              + ", "
              + (from + length)
              + ") of dimension "
              + dimension
              + " of "
              + shape);
    }
    long[] extents = shape.extents();
    extents[dimension] = length;
    long elements = from * strides[dimension];
    long offset = byteOffset + dtype.bytes(elements);
    return new Tensor(storage, dtype, Shape.of(extents), strides, offset);
  }

  /** One entry of the outermost dimension, which disappears. */
  public Tensor select(long index) {
    Objects.checkIndex(index, shape.extent(0));
    long[] extents = Arrays.copyOfRange(shape.extents(), 1, shape.rank());
    long[] rest = Arrays.copyOfRange(strides, 1, strides.length);
    long offset = byteOffset + dtype.bytes(index * strides[0]);
    return new Tensor(storage, dtype, Shape.of(extents), rest, offset);
  }

  /** Swaps two dimensions, as a view; not for block formats' innermost dimension. */
  public Tensor transpose(int a, int b) {
    if (dtype.isBlocked() && (a == shape.rank() - 1 || b == shape.rank() - 1)) {
      throw new IllegalArgumentException("rows of " + dtype + " cannot be transposed");
    }
    long[] extents = shape.extents();
    long[] swapped = strides.clone();
    extents[a] = shape.extent(b);
    extents[b] = shape.extent(a);
    swapped[a] = strides[b];
    swapped[b] = strides[a];
    return new Tensor(storage, dtype, Shape.of(extents), swapped, byteOffset);
  }

  /** One element of a host F32 tensor by its multi-index; for tests and set-up, not for loops. */
  public float get(long... index) {
    return segment().get(FLOAT, elementOffset(index) * Float.BYTES);
  }

  /** Sets one element of a host F32 tensor; for tests and set-up, not for loops. */
  public void set(float value, long... index) {
    segment().set(FLOAT, elementOffset(index) * Float.BYTES, value);
  }

  /** Elements of a contiguous host F32 tensor as a new array. */
  public float[] toFloats() {
    if (dtype != DType.F32 || !isContiguous()) {
      throw new IllegalStateException("toFloats needs contiguous F32, this is " + this);
    }
    float[] values = new float[Math.toIntExact(shape.elements())];
    MemorySegment.copy(segment(), FLOAT, 0, values, 0, values.length);
    return values;
  }

  private long elementOffset(long[] index) {
    if (dtype != DType.F32 || index.length != strides.length) {
      throw new IllegalArgumentException(
          "index " + Arrays.toString(index) + " does not address an element of " + this);
    }
    long offset = 0;
    for (int i = 0; i < index.length; i++) {
      offset += Objects.checkIndex(index[i], shape.extent(i)) * strides[i];
    }
    return offset;
  }

  private static long extentBytes(DType dtype, Shape shape, long[] strides) {
    if (shape.elements() == 0) {
      return 0;
    }
    int last = strides.length - 1;
    long elements = 0;
    for (int i = 0; i < last; i++) {
      elements = Math.addExact(elements, Math.multiplyExact(shape.extent(i) - 1, strides[i]));
    }
    if (last >= 0) {
      elements += (shape.extent(last) - 1) * strides[last] + 1;
    } else {
      elements = 1;
    }
    return dtype.bytes(elements);
  }

  @Override
  public String toString() {
    return dtype + "" + shape;
  }
}
