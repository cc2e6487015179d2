package io.attention4j.kernels.opencl;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.cl_context;
import org.jocl.cl_device_id;
import org.jocl.cl_kernel;
import org.jocl.cl_program;

/**
 * Kernels of one device, built when first asked for and kept until it closes. A program is a
 * generated prelude, some {@code .cl} resources of this package and build options. Used under the
 * context's lock.
 */
final class ClProgramCache implements AutoCloseable {
  /**
   * What a program is built from.
   *
   * @param resources names without ".cl", in order
   * @param prelude source in front of them
   * @param options of the compiler, such as "-DTILE=16"
   */
  record Source(List<String> resources, String prelude, String options) {
    /** One resource without a prelude. */
    static Source of(String resource, String options) {
      return new Source(List.of(resource), "", options);
    }
  }

  private record Key(Source source, String kernel) {}

  private final cl_context context;
  private final ClDevice device;
  private final LiveObjects live;
  private final Map<Source, cl_program> programs = new HashMap<>();
  private final Map<Key, cl_kernel> kernels = new HashMap<>();

  ClProgramCache(cl_context context, ClDevice device, LiveObjects live) {
    this.context = context;
    this.device = device;
    this.live = live;
  }

  /** Programs built so far. */
  int builds() {
    return programs.size();
  }

  /**
   * The kernel of this name.
   *
   * @throws IllegalStateException if the source does not build; holds the compiler's log
   */
  cl_kernel kernel(Source source, String name) {
    Key key = new Key(source, name);
    cl_kernel kernel = kernels.get(key);
    if (kernel == null) {
      int[] status = new int[1];
      kernel = CL.clCreateKernel(program(source), name, status);
      ClCalls.require(status[0], "clCreateKernel(" + name + ")");
      live.kernels.incrementAndGet();
      kernels.put(key, kernel);
    }
    return kernel;
  }

  private cl_program program(Source source) {
    cl_program program = programs.get(source);
    if (program == null) {
      program = build(source);
      programs.put(source, program);
    }
    return program;
  }

  private cl_program build(Source source) {
    StringBuilder text = new StringBuilder(source.prelude());
    source.resources().forEach(name -> text.append(read(name)));
    int[] status = new int[1];
    cl_program program =
        CL.clCreateProgramWithSource(context, 1, new String[] {text.toString()}, null, status);
    ClCalls.require(status[0], "clCreateProgramWithSource");
    cl_device_id[] devices = {device.id()};
    int built = CL.clBuildProgram(program, 1, devices, source.options(), null, null);
    if (built != CL.CL_SUCCESS) {
      String log = log(program);
      CL.clReleaseProgram(program);
      throw new IllegalStateException(
          "the OpenCL kernels "
              + source.resources()
              + " do not build ("
              + CL.stringFor_errorCode(built)
              + ") with the options '"
              + source.options()
              + "' on "
              + device.description()
              + "; the compiler says:\n"
              + log);
    }
    live.programs.incrementAndGet();
    return program;
  }

  private String log(cl_program program) {
    long[] size = new long[1];
    CL.clGetProgramBuildInfo(program, device.id(), CL.CL_PROGRAM_BUILD_LOG, 0, null, size);
    byte[] bytes = new byte[(int) size[0]];
    CL.clGetProgramBuildInfo(
        program, device.id(), CL.CL_PROGRAM_BUILD_LOG, size[0], Pointer.to(bytes), null);
    return new String(bytes, StandardCharsets.UTF_8).replace("\0", "");
  }

  private static String read(String name) {
    try (InputStream in = ClProgramCache.class.getResourceAsStream(name + ".cl")) {
      if (in == null) {
        throw new IllegalStateException("the resource " + name + ".cl is missing from this jar");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    for (cl_kernel kernel : kernels.values()) {
      ClCalls.require(CL.clReleaseKernel(kernel), "clReleaseKernel");
      live.kernels.decrementAndGet();
    }
    kernels.clear();
    for (cl_program program : programs.values()) {
      ClCalls.require(CL.clReleaseProgram(program), "clReleaseProgram");
      live.programs.decrementAndGet();
    }
    programs.clear();
  }
}
