package io.attention4j.kernels.opencl;

import io.attention4j.engine.spi.Device.TensorArena;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * Tensors of one owner. Small ones, such as the pages of a cache, lie together in slabs that grow
 * with the owner, so that one launch of a kernel reaches many of them.
 */
final class BufferArena implements TensorArena {
  /** Tensors start here, so that every kernel may load 16 bytes at once. */
  private static final long ALIGNMENT = 256;

  private static final long SMALLEST_SLAB_BYTES = 64 << 10;
  private static final long LARGEST_SLAB_BYTES = 64 << 20;

  private final ClContext context;
  private final List<ClBuffer> buffers = new ArrayList<>();
  private Storage slab;
  private long slabUsed;
  private long slabBytes = SMALLEST_SLAB_BYTES;
  private boolean closed;

  BufferArena(ClContext context) {
    this.context = context;
  }

  @Override
  public synchronized Tensor allocate(DType dtype, long... extents) {
    if (closed) {
      throw new IllegalStateException("this owner of tensors is closed");
    }
    Shape shape = Shape.of(extents);
    long bytes = dtype.bytes(shape.elements());
    if (bytes > slabBytes / 4) {
      return Tensor.of(storage(bytes), dtype, shape, 0);
    }
    if (slab == null || slab.byteSize() - slabUsed < bytes) {
      slab = storage(slabBytes);
      slabUsed = 0;
      slabBytes = Math.min(LARGEST_SLAB_BYTES, 2 * slabBytes);
    }
    Tensor tensor = Tensor.of(slab, dtype, shape, slabUsed);
    slabUsed = Math.min(slab.byteSize(), Math.ceilDiv(slabUsed + bytes, ALIGNMENT) * ALIGNMENT);
    return tensor;
  }

  private Storage storage(long bytes) {
    ClBuffer buffer = context.allocate(bytes);
    buffers.add(buffer);
    return new Storage.Device(OpenClProvider.ID, buffer, buffer.byteSize());
  }

  @Override
  public synchronized void close() {
    closed = true;
    buffers.forEach(ClBuffer::close);
    buffers.clear();
  }
}
