package io.attention4j.engine.spi;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * An opened provider: kernels, memory and compute threads. Kernels of one device may be used by one
 * thread at a time (the decoder's forward pass); a second caller waits. Closing ends the worker
 * threads; plans and tensors of the device must be closed before.
 */
public interface Device extends AutoCloseable {
  /** Id of the provider. */
  String providerId();

  /** One line for people: what it runs on. */
  String description();

  /** Compute threads. */
  int threads();

  /**
   * The threads of this device that work on host memory, for what an operator computes between
   * kernels; the caller alone where it has none. The device closes them. A piece of work must not
   * run a kernel.
   */
  default Parallel workers() {
    return Parallel.single();
  }

  /**
   * The kernel of a kind, for example {@code kernel(AttentionKernel.class)}; empty if it has none.
   */
  <K extends Kernel<?>> Optional<K> kernel(Class<K> kind);

  /**
   * Bytes that new tensors and plans of this device may still take; empty where they lie in host
   * memory, which the system shares out.
   */
  default OptionalLong freeBytes() {
    return OptionalLong.empty();
  }

  /** A new owner of tensors on this device. */
  TensorArena newArena();

  /** Copies host data to a tensor of this device, same dtype and element count, both contiguous. */
  void upload(MemorySegment source, Tensor target);

  /** Copies a contiguous tensor of this device to host memory and waits for it. */
  void download(Tensor source, MemorySegment target);

  @Override
  void close();

  /** Owns tensors; closing frees them all. */
  interface TensorArena extends AutoCloseable {
    /** A zero-filled row-major tensor. */
    Tensor allocate(DType dtype, long... extents);

    @Override
    void close();
  }
}
