package io.attention4j.kernels.opencl;

import java.util.List;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.cl_command_queue;
import org.jocl.cl_context;
import org.jocl.cl_device_id;
import org.jocl.cl_event;
import org.jocl.cl_kernel;
import org.jocl.cl_mem;
import org.jocl.cl_platform_id;
import org.jocl.cl_program;

/** A machine with the devices of a list, whose kernels and transfers do nothing. */
final class FakeCl implements ClApi {
  /** A device that the fake offers. */
  record Offer(String name, long type, String version, long localBytes) {
    static Offer gpu(String name) {
      return new Offer(name, CL.CL_DEVICE_TYPE_GPU, "OpenCL 3.0 fake", 48 << 10);
    }

    static Offer cpu(String name) {
      return new Offer(name, CL.CL_DEVICE_TYPE_CPU, "OpenCL 1.2 fake", 64 << 10);
    }
  }

  static final long GLOBAL_BYTES = 1L << 30;

  private final List<Offer> offers;
  private final cl_device_id[] ids;

  FakeCl(Offer... offers) {
    this.offers = List.of(offers);
    ids = new cl_device_id[offers.length];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = new cl_device_id();
    }
  }

  private Offer offer(cl_device_id device) {
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] == device) {
        return offers.get(i);
      }
    }
    throw new AssertionError("no device of this fake");
  }

  @Override
  public cl_platform_id[] platforms() {
    return ids.length == 0 ? new cl_platform_id[0] : new cl_platform_id[] {new cl_platform_id()};
  }

  @Override
  public cl_device_id[] devices(cl_platform_id platform) {
    return ids.clone();
  }

  @Override
  public long number(cl_device_id device, int property) {
    return switch (property) {
      case CL.CL_DEVICE_TYPE -> offer(device).type;
      case CL.CL_DEVICE_GLOBAL_MEM_SIZE -> GLOBAL_BYTES;
      case CL.CL_DEVICE_MAX_MEM_ALLOC_SIZE -> GLOBAL_BYTES / 4;
      case CL.CL_DEVICE_LOCAL_MEM_SIZE -> offer(device).localBytes;
      case CL.CL_DEVICE_MAX_WORK_GROUP_SIZE -> 1024;
      default -> 1;
    };
  }

  @Override
  public String text(cl_device_id device, int property) {
    return switch (property) {
      case CL.CL_DEVICE_NAME -> offer(device).name;
      case CL.CL_DEVICE_VERSION -> offer(device).version;
      default -> "1";
    };
  }

  @Override
  public cl_context createContext(cl_platform_id platform, cl_device_id device) {
    return new cl_context();
  }

  @Override
  public void release(cl_context context) {}

  @Override
  public cl_command_queue createQueue(cl_context context, cl_device_id device, boolean profiling) {
    return new cl_command_queue();
  }

  @Override
  public void release(cl_command_queue queue) {}

  @Override
  public cl_mem createBuffer(cl_context context, long bytes) {
    return new cl_mem();
  }

  @Override
  public void release(cl_mem buffer) {}

  @Override
  public cl_program createProgram(cl_context context, String source) {
    return new cl_program();
  }

  @Override
  public cl_program createProgram(cl_context context, cl_device_id device, byte[] binary) {
    return new cl_program();
  }

  @Override
  public void build(cl_program program, cl_device_id device, String options) {}

  @Override
  public String buildLog(cl_program program, cl_device_id device) {
    return "line 7: no such register";
  }

  @Override
  public byte[] binary(cl_program program) {
    return new byte[] {1, 2, 3};
  }

  @Override
  public void release(cl_program program) {}

  @Override
  public cl_kernel createKernel(cl_program program, String name) {
    return new cl_kernel();
  }

  @Override
  public void release(cl_kernel kernel) {}

  @Override
  public void argument(cl_kernel kernel, int index, Object value) {}

  @Override
  public void launch(
      cl_command_queue queue, cl_kernel kernel, long[] global, long[] local, cl_event done) {}

  @Override
  public void write(
      cl_command_queue queue,
      cl_mem target,
      boolean blocking,
      long offset,
      long bytes,
      Pointer source,
      cl_event done) {}

  @Override
  public void read(
      cl_command_queue queue, cl_mem source, long offset, long bytes, Pointer target) {}

  @Override
  public void copy(
      cl_command_queue queue,
      cl_mem source,
      long sourceOffset,
      cl_mem target,
      long targetOffset,
      long bytes,
      cl_event after,
      cl_event done) {}

  @Override
  public void clear(cl_command_queue queue, cl_mem buffer, long bytes) {}

  @Override
  public void flush(cl_command_queue queue) {}

  @Override
  public void finish(cl_command_queue queue) {}

  @Override
  public void await(cl_event event) {}

  @Override
  public long time(cl_event event, int property) {
    return 0;
  }

  @Override
  public void release(cl_event event) {}
}
