package io.attention4j.kvcache;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;

/** Where a {@link PagePool} takes its slabs from. */
interface SlabMemory {
  /** Whether kernels of a device read memory of the host. */
  static boolean isHost(Device device) {
    try (Device.TensorArena arena = device.newArena()) {
      return arena.allocate(DType.I8, 1).storage() instanceof Storage.Host;
    }
  }

  /**
   * Bytes that the next slab should have at least where pages are small.
   *
   * @param taken bytes of all slabs of a pool so far
   */
  long slabBytes(long taken);

  /** Whether slabs are files. */
  boolean inFile();

  /**
   * A slab of so many pages.
   *
   * @throws IllegalStateException if a file cannot be made; names the file and the remedy
   */
  Slab allocate(int pages, long pageBytes);

  /**
   * Memory that is freed at once.
   *
   * @param pages I8 [pages, pageBytes]
   * @param owner frees it
   */
  record Slab(Tensor pages, Runnable owner) {}

  /**
   * Memory of a device. Slabs are about this large: few enough allocations, and small enough that
   * the pages of a slab come from one head's part of a prompt's chunk, so that they are free
   * together when a policy drops them. Kernels of a device with memory of its own read few buffers
   * at once, so there slabs grow with the pool.
   */
  record OnDevice(Device device) implements SlabMemory {
    private static final long LARGEST = 64L << 20;

    @Override
    public long slabBytes(long taken) {
      long least = 1 << 17;
      return device.freeBytes().isEmpty() ? least : Math.clamp(taken / 2, least, LARGEST);
    }

    @Override
    public boolean inFile() {
      return false;
    }

    @Override
    public Slab allocate(int pages, long pageBytes) {
      Device.TensorArena arena = device.newArena();
      boolean complete = false;
      try {
        Tensor memory = arena.allocate(DType.I8, pages, pageBytes);
        complete = true;
        return new Slab(memory, arena::close);
      } finally {
        if (!complete) {
          arena.close();
        }
      }
    }
  }

  /**
   * Memory of the host whose pages can be read from a file past the system's cache.
   *
   * @param alignment power of two that page sizes are multiples of
   */
  record Aligned(long alignment) implements SlabMemory {
    @Override
    public long slabBytes(long taken) {
      return 1 << 17;
    }

    @Override
    public boolean inFile() {
      return false;
    }

    @Override
    public Slab allocate(int pages, long pageBytes) {
      Arena arena = Arena.ofShared();
      boolean complete = false;
      try {
        Tensor memory =
            Tensor.of(
                arena.allocate(pages * pageBytes, alignment), DType.I8, Shape.of(pages, pageBytes));
        complete = true;
        return new Slab(memory, arena::close);
      } finally {
        if (!complete) {
          arena.close();
        }
      }
    }
  }
}
