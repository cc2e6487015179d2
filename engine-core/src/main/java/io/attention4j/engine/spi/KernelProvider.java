package io.attention4j.engine.spi;

/** A family of kernels for one kind of machine. Register implementations for ServiceLoader. */
public interface KernelProvider {
  /** Stable dotted id: "reference", "cpu.scalar", "cpu.simd", "opencl". */
  String id();

  /**
   * Preference of the automatic choice; the higher the earlier. A negative one is never chosen,
   * only opened by name.
   */
  int rank();

  /** Whether this provider can run here and, if not, why. Never throws. */
  Availability availability();

  /** Whether its tensors lie in host memory, so that the kernels of others can work on them. */
  default boolean hostMemory() {
    return true;
  }

  /**
   * Whether the automatic choice may take this provider here and, if not, why; it may be less than
   * {@link #availability}. Never throws.
   */
  default Availability automatic() {
    return availability();
  }

  /**
   * Opens the device; the caller closes it.
   *
   * @throws IllegalStateException if {@link #availability} is not Available
   */
  Device open(DeviceOptions options);
}
