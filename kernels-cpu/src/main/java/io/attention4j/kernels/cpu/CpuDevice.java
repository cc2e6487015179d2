package io.attention4j.kernels.cpu;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.Kernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.memory.HugePages;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** Host memory and a worker pool; the kernels come from a {@link KernelTable}. */
final class CpuDevice implements Device {
  private final String providerId;
  private final String description;
  private final Parallel workers;
  private final KernelTable kernels;

  CpuDevice(String providerId, String description, Parallel workers, KernelTable kernels) {
    this.providerId = providerId;
    this.description = description;
    this.workers = workers;
    this.kernels = kernels;
  }

  @Override
  public String providerId() {
    return providerId;
  }

  @Override
  public String description() {
    return description;
  }

  @Override
  public int threads() {
    return workers.threads();
  }

  @Override
  public Parallel workers() {
    return workers;
  }

  @Override
  public <K extends Kernel<?>> Optional<K> kernel(Class<K> kind) {
    return kernels.find(kind);
  }

  @Override
  public TensorArena newArena() {
    return new HostArena(Arena.ofShared());
  }

  @Override
  public void upload(MemorySegment source, Tensor target) {
    MemorySegment.copy(source, 0, contiguous(target), 0, bytes(target, source));
  }

  @Override
  public void download(Tensor source, MemorySegment target) {
    MemorySegment.copy(contiguous(source), 0, target, 0, bytes(source, target));
  }

  private static MemorySegment contiguous(Tensor tensor) {
    if (!tensor.isContiguous()) {
      throw new IllegalArgumentException("only contiguous tensors are copied, not " + tensor);
    }
    return tensor.segment();
  }

  private static long bytes(Tensor tensor, MemorySegment other) {
    long bytes = tensor.byteSize();
    if (other.byteSize() < bytes) {
      throw new IllegalArgumentException(
          tensor + " has " + bytes + " bytes but the host segment has " + other.byteSize());
    }
    return bytes;
  }

  @Override
  public void close() {
    workers.close();
  }

  /** Tensors of one arena; those of some huge pages, as caches are, in such. */
  private record HostArena(Arena arena) implements TensorArena {
    private static final long MIN_HUGE_BYTES = 2 * HugePages.PAGE_BYTES;

    @Override
    public Tensor allocate(DType dtype, long... extents) {
      Shape shape = Shape.of(extents);
      long bytes = dtype.bytes(shape.elements());
      return bytes < MIN_HUGE_BYTES
          ? Tensor.allocate(arena, dtype, extents)
          : Tensor.of(HugePages.allocate(arena, bytes), dtype, shape);
    }

    @Override
    public void close() {
      arena.close();
    }
  }
}
