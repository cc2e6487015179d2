package io.attention4j.kernels.opencl;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.Sizeof;
import org.jocl.cl_command_queue;
import org.jocl.cl_context;
import org.jocl.cl_context_properties;
import org.jocl.cl_device_id;
import org.jocl.cl_event;
import org.jocl.cl_kernel;
import org.jocl.cl_mem;
import org.jocl.cl_platform_id;
import org.jocl.cl_program;

/** The machine's OpenCL library, through JOCL. */
final class JoclApi implements ClApi {
  @Override
  public cl_platform_id[] platforms() {
    int[] count = new int[1];
    int status = CL.clGetPlatformIDs(0, null, count);
    // The loader's code for a machine without any driver.
    if (status == -1001) {
      return new cl_platform_id[0];
    }
    ClFailure.require(status, "clGetPlatformIDs");
    cl_platform_id[] platforms = new cl_platform_id[count[0]];
    if (count[0] > 0) {
      ClFailure.require(CL.clGetPlatformIDs(count[0], platforms, null), "clGetPlatformIDs");
    }
    return platforms;
  }

  @Override
  public cl_device_id[] devices(cl_platform_id platform) {
    int[] count = new int[1];
    int status = CL.clGetDeviceIDs(platform, CL.CL_DEVICE_TYPE_ALL, 0, null, count);
    if (status == CL.CL_DEVICE_NOT_FOUND || count[0] == 0) {
      return new cl_device_id[0];
    }
    ClFailure.require(status, "clGetDeviceIDs");
    cl_device_id[] devices = new cl_device_id[count[0]];
    ClFailure.require(
        CL.clGetDeviceIDs(platform, CL.CL_DEVICE_TYPE_ALL, count[0], devices, null),
        "clGetDeviceIDs");
    return devices;
  }

  @Override
  public long number(cl_device_id device, int property) {
    // Answers are of 4 or 8 bytes; the upper ones stay 0.
    ByteBuffer value = ByteBuffer.allocateDirect(8).order(ByteOrder.nativeOrder());
    ClFailure.require(
        CL.clGetDeviceInfo(device, property, 8, Pointer.to(value), null), "clGetDeviceInfo");
    return value.getLong(0);
  }

  @Override
  public String text(cl_device_id device, int property) {
    long[] size = new long[1];
    ClFailure.require(CL.clGetDeviceInfo(device, property, 0, null, size), "clGetDeviceInfo");
    byte[] bytes = new byte[(int) size[0]];
    ClFailure.require(
        CL.clGetDeviceInfo(device, property, size[0], Pointer.to(bytes), null), "clGetDeviceInfo");
    return string(bytes);
  }

  private static String string(byte[] bytes) {
    return new String(bytes, StandardCharsets.UTF_8).replace("\0", "").strip();
  }

  @Override
  public cl_context createContext(cl_platform_id platform, cl_device_id device) {
    cl_context_properties properties = new cl_context_properties();
    properties.addProperty(CL.CL_CONTEXT_PLATFORM, platform);
    int[] status = new int[1];
    cl_device_id[] devices = {device};
    cl_context context = CL.clCreateContext(properties, 1, devices, null, null, status);
    ClFailure.require(status[0], "clCreateContext");
    return context;
  }

  @Override
  public void release(cl_context context) {
    ClFailure.require(CL.clReleaseContext(context), "clReleaseContext");
  }

  // The 1.2 call: the one that replaced it is missing from OpenCL 1.2 drivers.
  @SuppressWarnings("deprecation")
  @Override
  public cl_command_queue createQueue(cl_context context, cl_device_id device, boolean profiling) {
    int[] status = new int[1];
    cl_command_queue queue =
        CL.clCreateCommandQueue(
            context, device, profiling ? CL.CL_QUEUE_PROFILING_ENABLE : 0, status);
    ClFailure.require(status[0], "clCreateCommandQueue");
    return queue;
  }

  @Override
  public void release(cl_command_queue queue) {
    ClFailure.require(CL.clReleaseCommandQueue(queue), "clReleaseCommandQueue");
  }

  @Override
  public cl_mem createBuffer(cl_context context, long bytes) {
    int[] status = new int[1];
    cl_mem buffer = CL.clCreateBuffer(context, CL.CL_MEM_READ_WRITE, bytes, null, status);
    ClFailure.require(status[0], "clCreateBuffer");
    return buffer;
  }

  @Override
  public void release(cl_mem buffer) {
    ClFailure.require(CL.clReleaseMemObject(buffer), "clReleaseMemObject");
  }

  @Override
  public cl_program createProgram(cl_context context, String source) {
    int[] status = new int[1];
    cl_program program =
        CL.clCreateProgramWithSource(context, 1, new String[] {source}, null, status);
    ClFailure.require(status[0], "clCreateProgramWithSource");
    return program;
  }

  @Override
  public cl_program createProgram(cl_context context, cl_device_id device, byte[] binary) {
    int[] loaded = new int[1];
    int[] status = new int[1];
    cl_program program =
        CL.clCreateProgramWithBinary(
            context,
            1,
            new cl_device_id[] {device},
            new long[] {binary.length},
            new byte[][] {binary},
            loaded,
            status);
    ClFailure.require(status[0], "clCreateProgramWithBinary");
    return program;
  }

  @Override
  public void build(cl_program program, cl_device_id device, String options) {
    ClFailure.require(
        CL.clBuildProgram(program, 1, new cl_device_id[] {device}, options, null, null),
        "clBuildProgram");
  }

  @Override
  public String buildLog(cl_program program, cl_device_id device) {
    long[] size = new long[1];
    int log = CL.CL_PROGRAM_BUILD_LOG;
    ClFailure.require(
        CL.clGetProgramBuildInfo(program, device, log, 0, null, size), "clGetProgramBuildInfo");
    byte[] bytes = new byte[(int) size[0]];
    ClFailure.require(
        CL.clGetProgramBuildInfo(program, device, log, size[0], Pointer.to(bytes), null),
        "clGetProgramBuildInfo");
    return string(bytes);
  }

  @Override
  public byte[] binary(cl_program program) {
    long[] size = new long[1];
    ClFailure.require(
        CL.clGetProgramInfo(
            program, CL.CL_PROGRAM_BINARY_SIZES, Sizeof.size_t, Pointer.to(size), null),
        "clGetProgramInfo");
    byte[] bytes = new byte[Math.toIntExact(size[0])];
    ClFailure.require(
        CL.clGetProgramInfo(
            program, CL.CL_PROGRAM_BINARIES, Sizeof.POINTER, Pointer.to(Pointer.to(bytes)), null),
        "clGetProgramInfo");
    return bytes;
  }

  @Override
  public void release(cl_program program) {
    ClFailure.require(CL.clReleaseProgram(program), "clReleaseProgram");
  }

  @Override
  public cl_kernel createKernel(cl_program program, String name) {
    int[] status = new int[1];
    cl_kernel kernel = CL.clCreateKernel(program, name, status);
    ClFailure.require(status[0], "clCreateKernel(" + name + ")");
    return kernel;
  }

  @Override
  public void release(cl_kernel kernel) {
    ClFailure.require(CL.clReleaseKernel(kernel), "clReleaseKernel");
  }

  @Override
  public void argument(cl_kernel kernel, int index, Object value) {
    int status =
        switch (value) {
          case cl_mem buffer -> CL.clSetKernelArg(kernel, index, Sizeof.cl_mem, Pointer.to(buffer));
          case Integer number ->
              CL.clSetKernelArg(kernel, index, Integer.BYTES, Pointer.to(new int[] {number}));
          case Long number ->
              CL.clSetKernelArg(kernel, index, Long.BYTES, Pointer.to(new long[] {number}));
          case Float number ->
              CL.clSetKernelArg(kernel, index, Float.BYTES, Pointer.to(new float[] {number}));
          default -> throw new AssertionError("no kernel argument: " + value);
        };
    ClFailure.require(status, "clSetKernelArg(" + index + ")");
  }

  @Override
  public void launch(
      cl_command_queue queue, cl_kernel kernel, long[] global, long[] local, cl_event done) {
    ClFailure.require(
        CL.clEnqueueNDRangeKernel(queue, kernel, global.length, null, global, local, 0, null, done),
        "clEnqueueNDRangeKernel");
  }

  @Override
  public void write(
      cl_command_queue queue,
      cl_mem target,
      boolean blocking,
      long offset,
      long bytes,
      Pointer source,
      cl_event done) {
    ClFailure.require(
        CL.clEnqueueWriteBuffer(queue, target, blocking, offset, bytes, source, 0, null, done),
        "clEnqueueWriteBuffer");
  }

  @Override
  public void read(cl_command_queue queue, cl_mem source, long offset, long bytes, Pointer target) {
    ClFailure.require(
        CL.clEnqueueReadBuffer(queue, source, true, offset, bytes, target, 0, null, null),
        "clEnqueueReadBuffer");
  }

  @Override
  public void copy(
      cl_command_queue queue,
      cl_mem source,
      long sourceOffset,
      cl_mem target,
      long targetOffset,
      long bytes,
      cl_event after,
      cl_event done) {
    ClFailure.require(
        CL.clEnqueueCopyBuffer(
            queue,
            source,
            target,
            sourceOffset,
            targetOffset,
            bytes,
            after == null ? 0 : 1,
            after == null ? null : new cl_event[] {after},
            done),
        "clEnqueueCopyBuffer");
  }

  @Override
  public void clear(cl_command_queue queue, cl_mem buffer, long bytes) {
    byte[] zero = new byte[1];
    ClFailure.require(
        CL.clEnqueueFillBuffer(queue, buffer, Pointer.to(zero), 1, 0, bytes, 0, null, null),
        "clEnqueueFillBuffer");
    // The pattern is an array of Java, which may move once this method has returned.
    finish(queue);
  }

  @Override
  public void flush(cl_command_queue queue) {
    ClFailure.require(CL.clFlush(queue), "clFlush");
  }

  @Override
  public void finish(cl_command_queue queue) {
    ClFailure.require(CL.clFinish(queue), "clFinish");
  }

  @Override
  public void await(cl_event event) {
    ClFailure.require(CL.clWaitForEvents(1, new cl_event[] {event}), "clWaitForEvents");
  }

  @Override
  public long time(cl_event event, int property) {
    long[] nanos = new long[1];
    ClFailure.require(
        CL.clGetEventProfilingInfo(event, property, Long.BYTES, Pointer.to(nanos), null),
        "clGetEventProfilingInfo");
    return nanos[0];
  }

  @Override
  public void release(cl_event event) {
    ClFailure.require(CL.clReleaseEvent(event), "clReleaseEvent");
  }
}
