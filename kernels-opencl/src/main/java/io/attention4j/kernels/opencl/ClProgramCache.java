package io.attention4j.kernels.opencl;

import io.attention4j.kernels.opencl.OpenClException.Fault;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jocl.cl_context;
import org.jocl.cl_kernel;
import org.jocl.cl_program;

/**
 * Kernels of one device, built when first asked for and kept until it closes; binaries are kept on
 * disk, too. A program is some {@code .cl} resources of this package and build options. Used under
 * the context's lock.
 */
final class ClProgramCache {
  /**
   * What a program is built from.
   *
   * @param resources names without ".cl", in order
   * @param options of the compiler, such as "-DTILE=16"
   */
  record Source(List<String> resources, String options) {
    /** One resource. */
    static Source of(String resource, String options) {
      return new Source(List.of(resource), options);
    }
  }

  private record Key(Source source, String kernel) {}

  private final ClApi api;
  private final cl_context context;
  private final ClDevice device;
  private final ClBinaryCache disk;
  private final Map<Source, cl_program> programs = new HashMap<>();
  private final Map<Key, cl_kernel> kernels = new HashMap<>();
  private int builds;
  private int loads;

  /** A cache with or without (null) files behind it. */
  ClProgramCache(ClApi api, cl_context context, ClDevice device, ClBinaryCache disk) {
    this.api = api;
    this.context = context;
    this.device = device;
    this.disk = disk;
  }

  /** Programs compiled so far. */
  int builds() {
    return builds;
  }

  /** Programs taken from disk so far. */
  int loads() {
    return loads;
  }

  /**
   * The kernel of this name.
   *
   * @throws OpenClException if the source does not build; holds the compiler's log
   */
  cl_kernel kernel(Source source, String name) {
    Key key = new Key(source, name);
    cl_kernel kernel = kernels.get(key);
    if (kernel == null) {
      kernel = api.createKernel(program(source), name);
      kernels.put(key, kernel);
    }
    return kernel;
  }

  private cl_program program(Source source) {
    cl_program program = programs.get(source);
    if (program == null) {
      StringBuilder text = new StringBuilder();
      source.resources().forEach(name -> text.append(read(name)));
      program = load(source, text.toString());
      programs.put(source, program);
    }
    return program;
  }

  private cl_program load(Source source, String text) {
    if (disk == null) {
      return build(source, text);
    }
    Path file = disk.file(text, source.options());
    byte[] binary = disk.read(file);
    if (binary != null) {
      cl_program program = fromBinary(source, binary);
      if (program != null) {
        loads++;
        return program;
      }
    }
    cl_program program = build(source, text);
    boolean complete = false;
    try {
      disk.write(file, api.binary(program));
      complete = true;
    } finally {
      if (!complete) {
        api.release(program);
      }
    }
    return program;
  }

  /** The program of a binary, or null if the driver does not take it (any longer). */
  private cl_program fromBinary(Source source, byte[] binary) {
    cl_program program = null;
    try {
      program = api.createProgram(context, device.id(), binary);
      api.build(program, device.id(), source.options());
      return program;
    } catch (ClFailure e) {
      if (program != null) {
        api.release(program);
      }
      if (e.lost()) {
        throw e;
      }
      return null;
    }
  }

  private cl_program build(Source source, String text) {
    cl_program program = api.createProgram(context, text);
    try {
      api.build(program, device.id(), source.options());
    } catch (ClFailure e) {
      String log = e.lost() ? "" : api.buildLog(program, device.id());
      api.release(program);
      if (e.lost()) {
        throw e;
      }
      throw new OpenClException(
          Fault.BUILD_FAILED,
          "the OpenCL kernels "
              + source.resources()
              + " do not build ("
              + e.getMessage()
              + ") with the options '"
              + source.options()
              + "' on "
              + device.description()
              + "; the compiler says:\n"
              + log,
          e);
    }
    builds++;
    return program;
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

  /** Releases everything, each through {@code release}. */
  void close(Consumer<Runnable> release) {
    kernels.values().forEach(kernel -> release.accept(() -> api.release(kernel)));
    kernels.clear();
    programs.values().forEach(program -> release.accept(() -> api.release(program)));
    programs.clear();
  }
}
