package io.attention4j.kernels.opencl;

import org.jocl.cl_mem;

/** A buffer on a device; the handle of its tensors' storage. */
final class ClBuffer implements AutoCloseable {
  private final ClContext context;
  private final cl_mem memory;
  private final long byteSize;
  private boolean closed;

  ClBuffer(ClContext context, cl_mem memory, long byteSize) {
    this.context = context;
    this.memory = memory;
    this.byteSize = byteSize;
  }

  ClContext context() {
    return context;
  }

  long byteSize() {
    return byteSize;
  }

  /** The handle for calls. */
  cl_mem memory() {
    if (closed) {
      throw new IllegalStateException("this device memory was freed: the tensor's owner is closed");
    }
    return memory;
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      context.free(memory, byteSize);
    }
  }
}
