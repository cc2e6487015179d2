package io.attention4j.kernels.opencl;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Locale;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.Sizeof;
import org.jocl.cl_command_queue;
import org.jocl.cl_context;
import org.jocl.cl_context_properties;
import org.jocl.cl_device_id;
import org.jocl.cl_kernel;
import org.jocl.cl_mem;

/**
 * A context with one in-order queue: memory, transfers and launches. Calls of several threads take
 * turns.
 */
final class ClContext implements AutoCloseable {
  /** A buffer of Java holds less than 2 GiB; pieces of this size are as fast as any. */
  private static final long PIECE_BYTES = 256L << 20;

  private final ClDevice device;
  private final LiveObjects live = new LiveObjects();
  private final cl_context context;
  private final cl_command_queue queue;
  private final ClProgramCache programs;
  private long allocatedBytes;

  ClContext(ClDevice device) {
    this.device = device;
    cl_context_properties properties = new cl_context_properties();
    properties.addProperty(CL.CL_CONTEXT_PLATFORM, device.platform());
    int[] status = new int[1];
    cl_device_id[] devices = {device.id()};
    context = CL.clCreateContext(properties, 1, devices, null, null, status);
    ClCalls.require(status[0], "clCreateContext");
    live.contexts.incrementAndGet();
    queue = createQueue(status);
    programs = new ClProgramCache(context, device, live);
  }

  // The 1.2 call: the one that replaced it is missing from OpenCL 1.2 drivers.
  @SuppressWarnings("deprecation")
  private cl_command_queue createQueue(int[] status) {
    cl_command_queue created = CL.clCreateCommandQueue(context, device.id(), 0, status);
    if (status[0] != CL.CL_SUCCESS) {
      CL.clReleaseContext(context);
      ClCalls.require(status[0], "clCreateCommandQueue");
    }
    live.queues.incrementAndGet();
    return created;
  }

  ClDevice device() {
    return device;
  }

  LiveObjects live() {
    return live;
  }

  /** Programs built so far. */
  synchronized int builds() {
    return programs.builds();
  }

  /** Buffers created so far. */
  synchronized long allocatedBytes() {
    return allocatedBytes;
  }

  /**
   * A zero-filled buffer of at least one byte; the caller closes it.
   *
   * @throws IllegalStateException if it does not fit; names the sizes and the remedy
   */
  synchronized ClBuffer allocate(long bytes) {
    long size = Math.max(1, bytes);
    if (size > device.allocationBytes()) {
      throw outOfMemory(size, "its largest buffer has " + mebibytes(device.allocationBytes()));
    }
    int[] status = new int[1];
    cl_mem memory = CL.clCreateBuffer(context, CL.CL_MEM_READ_WRITE, size, null, status);
    if (status[0] != CL.CL_SUCCESS) {
      throw outOfMemory(size, CL.stringFor_errorCode(status[0]));
    }
    live.buffers.incrementAndGet();
    allocatedBytes += size;
    ClBuffer buffer = new ClBuffer(this, memory, size);
    int filled =
        CL.clEnqueueFillBuffer(queue, memory, Pointer.to(new byte[1]), 1, 0, size, 0, null, null);
    // The pattern is an array of Java, which may move once this method has returned.
    int finished = CL.clFinish(queue);
    if (filled != CL.CL_SUCCESS || finished != CL.CL_SUCCESS) {
      buffer.close();
      throw outOfMemory(size, CL.stringFor_errorCode(filled != CL.CL_SUCCESS ? filled : finished));
    }
    return buffer;
  }

  private IllegalStateException outOfMemory(long bytes, String detail) {
    return new IllegalStateException(
        "cannot allocate "
            + mebibytes(bytes)
            + " on "
            + device.name()
            + " with "
            + mebibytes(device.globalBytes())
            + " ("
            + detail
            + "); use a smaller context or model, or the CPU kernels");
  }

  private static String mebibytes(long bytes) {
    return String.format(Locale.ROOT, "%.1f MiB", bytes / (double) (1 << 20));
  }

  /** Copies host memory to a buffer and waits for it. */
  synchronized void write(MemorySegment source, ClBuffer target, long offset) {
    for (long at = 0; at < source.byteSize(); at += PIECE_BYTES) {
      MemorySegment piece = piece(source, at);
      if (!piece.isNative()) {
        try (Arena arena = Arena.ofConfined()) {
          MemorySegment copy = arena.allocate(piece.byteSize());
          copy.copyFrom(piece);
          writePiece(copy, target, offset + at);
        }
      } else {
        writePiece(piece, target, offset + at);
      }
    }
  }

  private static MemorySegment piece(MemorySegment whole, long at) {
    return whole.asSlice(at, Math.min(PIECE_BYTES, whole.byteSize() - at));
  }

  private void writePiece(MemorySegment piece, ClBuffer target, long offset) {
    int status =
        CL.clEnqueueWriteBuffer(
            queue,
            target.memory(),
            true,
            offset,
            piece.byteSize(),
            Pointer.to(piece.asByteBuffer()),
            0,
            null,
            null);
    ClCalls.require(status, "clEnqueueWriteBuffer");
  }

  /** Copies the first words to a buffer and waits for it. */
  synchronized void write(long[] source, int words, ClBuffer target) {
    if (words == 0) {
      return;
    }
    int status =
        CL.clEnqueueWriteBuffer(
            queue,
            target.memory(),
            true,
            0,
            (long) words * Long.BYTES,
            Pointer.to(source),
            0,
            null,
            null);
    ClCalls.require(status, "clEnqueueWriteBuffer");
  }

  /** Waits for everything before and copies a buffer to host memory. */
  synchronized void read(ClBuffer source, long offset, MemorySegment target) {
    for (long at = 0; at < target.byteSize(); at += PIECE_BYTES) {
      MemorySegment piece = piece(target, at);
      if (!piece.isNative()) {
        try (Arena arena = Arena.ofConfined()) {
          MemorySegment copy = arena.allocate(piece.byteSize());
          readPiece(source, offset + at, copy);
          piece.copyFrom(copy);
        }
      } else {
        readPiece(source, offset + at, piece);
      }
    }
  }

  private void readPiece(ClBuffer source, long offset, MemorySegment piece) {
    int status =
        CL.clEnqueueReadBuffer(
            queue,
            source.memory(),
            true,
            offset,
            piece.byteSize(),
            Pointer.to(piece.asByteBuffer()),
            0,
            null,
            null);
    ClCalls.require(status, "clEnqueueReadBuffer");
  }

  /**
   * Enqueues a kernel over {@code groups} work groups of {@code items} items.
   *
   * @param arguments ClBuffer, Integer, Long or Float, in the kernel's order
   */
  synchronized void launch(
      ClProgramCache.Source source, String name, long[] groups, long[] items, Object... arguments) {
    cl_kernel kernel = programs.kernel(source, name);
    for (int i = 0; i < arguments.length; i++) {
      ClCalls.require(setArgument(kernel, i, arguments[i]), "argument " + i + " of " + name);
    }
    long[] global = new long[groups.length];
    for (int i = 0; i < groups.length; i++) {
      if (groups[i] == 0) {
        return;
      }
      global[i] = Math.multiplyExact(groups[i], items[i]);
    }
    int status =
        CL.clEnqueueNDRangeKernel(queue, kernel, global.length, null, global, items, 0, null, null);
    ClCalls.require(status, "the launch of " + name);
  }

  private static int setArgument(cl_kernel kernel, int index, Object argument) {
    return switch (argument) {
      case ClBuffer buffer ->
          CL.clSetKernelArg(kernel, index, Sizeof.cl_mem, Pointer.to(buffer.memory()));
      case Integer value ->
          CL.clSetKernelArg(kernel, index, Integer.BYTES, Pointer.to(new int[] {value}));
      case Long value ->
          CL.clSetKernelArg(kernel, index, Long.BYTES, Pointer.to(new long[] {value}));
      case Float value ->
          CL.clSetKernelArg(kernel, index, Float.BYTES, Pointer.to(new float[] {value}));
      default -> throw new AssertionError("no kernel argument: " + argument);
    };
  }

  @Override
  public synchronized void close() {
    CL.clFinish(queue);
    programs.close();
    ClCalls.require(CL.clReleaseCommandQueue(queue), "clReleaseCommandQueue");
    live.queues.decrementAndGet();
    ClCalls.require(CL.clReleaseContext(context), "clReleaseContext");
    live.contexts.decrementAndGet();
  }
}
