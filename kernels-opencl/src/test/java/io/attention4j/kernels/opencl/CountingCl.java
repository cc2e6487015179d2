package io.attention4j.kernels.opencl;

import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.jocl.Pointer;
import org.jocl.cl_command_queue;
import org.jocl.cl_context;
import org.jocl.cl_device_id;
import org.jocl.cl_event;
import org.jocl.cl_kernel;
import org.jocl.cl_mem;
import org.jocl.cl_platform_id;
import org.jocl.cl_program;

/** Counts the calls and the live objects of another API, and refuses calls when told to. */
final class CountingCl implements ClApi {
  private final ClApi api;
  private final Set<Object> live = Collections.newSetFromMap(new IdentityHashMap<>());
  private final Map<String, Integer> calls = new HashMap<>();
  private final Map<String, Integer> failures = new HashMap<>();
  private final Map<String, Integer> failFrom = new HashMap<>();

  private long writtenBytes;
  private long readBytes;

  CountingCl(ClApi api) {
    this.api = api;
  }

  /** Lets a call fail once, {@code after} more calls of it. */
  synchronized void failOnce(String call, int after, int status) {
    failures.put(call, status);
    failFrom.put(call, calls(call) + after + 1);
  }

  /** Calls of this name so far. */
  synchronized int calls(String call) {
    return calls.getOrDefault(call, 0);
  }

  /** Bytes that went from host memory to the device so far. */
  synchronized long writtenBytes() {
    return writtenBytes;
  }

  /** Bytes that came back so far. */
  synchronized long readBytes() {
    return readBytes;
  }

  /** Objects that were created and not released, by kind. */
  synchronized Map<String, Integer> live() {
    Map<String, Integer> counts = new TreeMap<>();
    live.forEach(o -> counts.merge(o.getClass().getSimpleName(), 1, Integer::sum));
    return counts;
  }

  /** Live objects of a kind. */
  int live(Class<?> kind) {
    return live().getOrDefault(kind.getSimpleName(), 0);
  }

  private synchronized void enter(String call) {
    int count = calls.merge(call, 1, Integer::sum);
    if (failFrom.getOrDefault(call, -1) == count) {
      throw new ClFailure(call, failures.get(call));
    }
  }

  private synchronized <T> T create(String call, Supplier<T> create) {
    enter(call);
    T created = create.get();
    live.add(created);
    return created;
  }

  private synchronized void born(cl_event event) {
    if (event != null) {
      live.add(event);
    }
  }

  private synchronized void free(Object object, Runnable release) {
    enter("release");
    if (!live.remove(object)) {
      throw new AssertionError(object.getClass().getSimpleName() + " is released twice");
    }
    release.run();
  }

  @Override
  public cl_platform_id[] platforms() {
    enter("platforms");
    return api.platforms();
  }

  @Override
  public cl_device_id[] devices(cl_platform_id platform) {
    enter("devices");
    return api.devices(platform);
  }

  @Override
  public long number(cl_device_id device, int property) {
    return api.number(device, property);
  }

  @Override
  public String text(cl_device_id device, int property) {
    return api.text(device, property);
  }

  @Override
  public cl_context createContext(cl_platform_id platform, cl_device_id device) {
    return create("createContext", () -> api.createContext(platform, device));
  }

  @Override
  public void release(cl_context context) {
    free(context, () -> api.release(context));
  }

  @Override
  public cl_command_queue createQueue(cl_context context, cl_device_id device, boolean profiling) {
    return create("createQueue", () -> api.createQueue(context, device, profiling));
  }

  @Override
  public void release(cl_command_queue queue) {
    free(queue, () -> api.release(queue));
  }

  @Override
  public cl_mem createBuffer(cl_context context, long bytes) {
    return create("createBuffer", () -> api.createBuffer(context, bytes));
  }

  @Override
  public void release(cl_mem buffer) {
    free(buffer, () -> api.release(buffer));
  }

  @Override
  public cl_program createProgram(cl_context context, String source) {
    return create("createProgram", () -> api.createProgram(context, source));
  }

  @Override
  public cl_program createProgram(cl_context context, cl_device_id device, byte[] binary) {
    return create("createProgramWithBinary", () -> api.createProgram(context, device, binary));
  }

  @Override
  public void build(cl_program program, cl_device_id device, String options) {
    enter("build");
    api.build(program, device, options);
  }

  @Override
  public String buildLog(cl_program program, cl_device_id device) {
    enter("buildLog");
    return api.buildLog(program, device);
  }

  @Override
  public byte[] binary(cl_program program) {
    enter("binary");
    return api.binary(program);
  }

  @Override
  public void release(cl_program program) {
    free(program, () -> api.release(program));
  }

  @Override
  public cl_kernel createKernel(cl_program program, String name) {
    return create("createKernel", () -> api.createKernel(program, name));
  }

  @Override
  public void release(cl_kernel kernel) {
    free(kernel, () -> api.release(kernel));
  }

  @Override
  public void argument(cl_kernel kernel, int index, Object value) {
    enter("argument");
    api.argument(kernel, index, value);
  }

  @Override
  public void launch(
      cl_command_queue queue, cl_kernel kernel, long[] global, long[] local, cl_event done) {
    enter("launch");
    api.launch(queue, kernel, global, local, done);
    born(done);
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
    enter("write");
    synchronized (this) {
      writtenBytes += bytes;
    }
    api.write(queue, target, blocking, offset, bytes, source, done);
    born(done);
  }

  @Override
  public void read(cl_command_queue queue, cl_mem source, long offset, long bytes, Pointer target) {
    enter("read");
    synchronized (this) {
      readBytes += bytes;
    }
    api.read(queue, source, offset, bytes, target);
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
    enter("copy");
    api.copy(queue, source, sourceOffset, target, targetOffset, bytes, after, done);
    born(done);
  }

  @Override
  public void clear(cl_command_queue queue, cl_mem buffer, long bytes) {
    enter("clear");
    api.clear(queue, buffer, bytes);
  }

  @Override
  public void flush(cl_command_queue queue) {
    enter("flush");
    api.flush(queue);
  }

  @Override
  public void finish(cl_command_queue queue) {
    enter("finish");
    api.finish(queue);
  }

  @Override
  public void await(cl_event event) {
    enter("await");
    api.await(event);
  }

  @Override
  public long time(cl_event event, int property) {
    return api.time(event, property);
  }

  @Override
  public void release(cl_event event) {
    free(event, () -> api.release(event));
  }
}
