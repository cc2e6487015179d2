package io.attention4j.kernels.opencl;

import org.jocl.Pointer;
import org.jocl.cl_command_queue;
import org.jocl.cl_context;
import org.jocl.cl_device_id;
import org.jocl.cl_event;
import org.jocl.cl_kernel;
import org.jocl.cl_mem;
import org.jocl.cl_platform_id;
import org.jocl.cl_program;

/**
 * The OpenCL calls that this module makes, one method a call, so that tests can stand in for a
 * driver. Every method throws {@link ClFailure} where the driver refuses.
 */
interface ClApi {
  cl_platform_id[] platforms();

  /** Devices of all kinds; may be empty. */
  cl_device_id[] devices(cl_platform_id platform);

  /** A property of 4 or 8 bytes. */
  long number(cl_device_id device, int property);

  String text(cl_device_id device, int property);

  cl_context createContext(cl_platform_id platform, cl_device_id device);

  void release(cl_context context);

  /** An in-order queue. */
  cl_command_queue createQueue(cl_context context, cl_device_id device, boolean profiling);

  void release(cl_command_queue queue);

  cl_mem createBuffer(cl_context context, long bytes);

  void release(cl_mem buffer);

  cl_program createProgram(cl_context context, String source);

  cl_program createProgram(cl_context context, cl_device_id device, byte[] binary);

  void build(cl_program program, cl_device_id device, String options);

  String buildLog(cl_program program, cl_device_id device);

  /** What {@link #createProgram(cl_context, cl_device_id, byte[])} takes. */
  byte[] binary(cl_program program);

  void release(cl_program program);

  cl_kernel createKernel(cl_program program, String name);

  void release(cl_kernel kernel);

  /**
   * Sets an argument.
   *
   * @param value cl_mem, Integer, Long or Float
   */
  void argument(cl_kernel kernel, int index, Object value);

  /** Enqueues a kernel; {@code done} may be null. */
  void launch(cl_command_queue queue, cl_kernel kernel, long[] global, long[] local, cl_event done);

  /** Enqueues a copy from host memory, which stays as it is until {@code done}. */
  void write(
      cl_command_queue queue,
      cl_mem target,
      boolean blocking,
      long offset,
      long bytes,
      Pointer source,
      cl_event done);

  /** Copies to host memory after everything before and waits for it. */
  void read(cl_command_queue queue, cl_mem source, long offset, long bytes, Pointer target);

  /** Enqueues a copy between buffers that waits for {@code after}, null for nothing. */
  void copy(
      cl_command_queue queue,
      cl_mem source,
      long sourceOffset,
      cl_mem target,
      long targetOffset,
      long bytes,
      cl_event after,
      cl_event done);

  /** Fills with zeros and waits for it. */
  void clear(cl_command_queue queue, cl_mem buffer, long bytes);

  /** Hands what was enqueued to the device. */
  void flush(cl_command_queue queue);

  void finish(cl_command_queue queue);

  void await(cl_event event);

  /** A time of a finished command in nanoseconds. */
  long time(cl_event event, int property);

  void release(cl_event event);
}
