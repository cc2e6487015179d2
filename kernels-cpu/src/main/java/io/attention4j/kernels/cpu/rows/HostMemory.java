package io.attention4j.kernels.cpu.rows;

import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** The memory of host tensors without the view that {@link Tensor#segment} may allocate. */
public final class HostMemory {
  private HostMemory() {}

  /**
   * The whole segment; the tensor's first element is at {@link Tensor#byteOffset}.
   *
   * @throws IllegalArgumentException if the tensor lives on a device
   */
  public static MemorySegment of(Tensor tensor) {
    return of(tensor.storage());
  }

  /** As {@link #of(Tensor)}, of a storage. */
  public static MemorySegment of(Storage storage) {
    return switch (storage) {
      case Storage.Host host -> host.segment();
      case Storage.Device device ->
          throw new IllegalArgumentException(
              "data lives on device "
                  + device.deviceId()
                  + "; CPU kernels read host memory, so copy it to the host first");
    };
  }
}
