package io.attention4j.testkit;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * An F32 tensor of a device inside a larger buffer whose other elements hold a guard value. {@link
 * #read} fails if a kernel wrote to any of them.
 */
public final class GuardedFloats {
  private static final int GUARD_ELEMENTS = 32;
  private static final float GUARD = -1.2345678e30f;

  private final Device device;
  private final Tensor buffer;
  private final Tensor tensor;
  private final long rows;
  private final long heads;
  private final long dim;
  private final long stride0;
  private final long stride1;

  private GuardedFloats(Device device, Tensor buffer, Tensor view, Tensor tensor) {
    this.device = device;
    this.buffer = buffer;
    this.tensor = tensor;
    this.rows = view.extent(0);
    this.heads = view.extent(1);
    this.dim = view.extent(2);
    this.stride0 = view.stride(0);
    this.stride1 = view.stride(1);
  }

  /** A contiguous tensor of any rank with a copy of the values. */
  public static GuardedFloats of(
      Device device, Device.TensorArena arena, float[] values, long... extents) {
    Tensor buffer = arena.allocate(DType.F32, 2L * GUARD_ELEMENTS + values.length);
    Tensor flat = buffer.slice(0, GUARD_ELEMENTS, values.length);
    GuardedFloats guarded =
        new GuardedFloats(device, buffer, flat.reshape(1, 1, values.length), flat.reshape(extents));
    guarded.write(values);
    return guarded;
  }

  /** A tensor [rows, heads, dim] in some layout with a copy of the row-major values. */
  public static GuardedFloats of(
      Device device,
      Device.TensorArena arena,
      Layout layout,
      float[] values,
      int rows,
      int heads,
      int dim) {
    int wideHeads = layout == Layout.HEAD_SLICE ? heads + 3 : heads;
    int wideDim = layout == Layout.DIM_SLICE ? dim + 5 : dim;
    long elements = (long) rows * wideHeads * wideDim;
    Tensor buffer = arena.allocate(DType.F32, 2 * GUARD_ELEMENTS + elements);
    Tensor wide = buffer.slice(0, GUARD_ELEMENTS, elements).reshape(rows, wideHeads, wideDim);
    Tensor view =
        wide.slice(1, wideHeads > heads ? 1 : 0, heads).slice(2, wideDim > dim ? 3 : 0, dim);
    GuardedFloats guarded = new GuardedFloats(device, buffer, view, view);
    guarded.write(values);
    return guarded;
  }

  /** The tensor for kernels. */
  public Tensor tensor() {
    return tensor;
  }

  /** Values of the tensor, row-major, after checking the guards. */
  public float[] read() {
    float[] all = new float[Math.toIntExact(buffer.shape().elements())];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(buffer.byteSize(), Tensor.ALIGNMENT_BYTES);
      device.download(buffer, host);
      MemorySegment.copy(host, Tensor.FLOAT, 0, all, 0, all.length);
    }
    float[] values = new float[Math.toIntExact(rows * heads * dim)];
    boolean[] owned = new boolean[all.length];
    for (int i = 0; i < values.length; i++) {
      int at = index(i);
      values[i] = all[at];
      owned[at] = true;
    }
    for (int i = 0; i < all.length; i++) {
      if (!owned[i] && all[i] != GUARD) {
        throw new AssertionError(
            "a kernel wrote "
                + all[i]
                + " outside its tensor, at element "
                + (i - index(0))
                + " from the first of "
                + tensor);
      }
    }
    return values;
  }

  private void write(float[] values) {
    if (values.length != rows * heads * dim) {
      throw new IllegalArgumentException(
          values.length + " values do not fill [" + rows + ", " + heads + ", " + dim + "]");
    }
    float[] all = new float[Math.toIntExact(buffer.shape().elements())];
    Arrays.fill(all, GUARD);
    for (int i = 0; i < values.length; i++) {
      all[index(i)] = values[i];
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(buffer.byteSize(), Tensor.ALIGNMENT_BYTES);
      MemorySegment.copy(all, 0, host, Tensor.FLOAT, 0, all.length);
      device.upload(host, buffer);
    }
  }

  private int index(int element) {
    long row = element / (heads * dim);
    long head = element / dim % heads;
    long first = (tensor.byteOffset() - buffer.byteOffset()) / Float.BYTES;
    return (int) (first + row * stride0 + head * stride1 + element % dim);
  }
}
