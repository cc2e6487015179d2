package io.attention4j.kernels.cpu;

import io.attention4j.engine.spi.Kernel;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** The kernels of a device by kind. Filled before the device opens, then only read. */
public final class KernelTable {
  private final Map<Class<?>, Kernel<?>> kernels = new LinkedHashMap<>();

  /** An empty table. */
  public KernelTable() {}

  /**
   * Adds a kernel.
   *
   * @throws IllegalArgumentException if there is one of this kind already
   */
  public <K extends Kernel<?>> KernelTable with(Class<K> kind, K kernel) {
    if (kernels.putIfAbsent(kind, kernel) != null) {
      throw new IllegalArgumentException("two kernels of kind " + kind.getSimpleName());
    }
    return this;
  }

  /** The kernel of a kind, or empty. */
  public <K extends Kernel<?>> Optional<K> find(Class<K> kind) {
    return Optional.ofNullable(kind.cast(kernels.get(kind)));
  }
}
