package io.attention4j.kernels.opencl;

import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;

/** Finds the buffers behind tensors. */
final class DeviceMemory {
  private DeviceMemory() {}

  /**
   * The buffer of a tensor.
   *
   * @throws IllegalArgumentException if it does not lie on this device
   */
  static ClBuffer of(String name, Tensor tensor, ClContext context) {
    return of(name, tensor.storage(), context);
  }

  /** The buffer of a storage, see {@link #of(String, Tensor, ClContext)}. */
  static ClBuffer of(String name, Storage storage, ClContext context) {
    if (storage instanceof Storage.Device place
        && place.handle() instanceof ClBuffer buffer
        && buffer.context() == context) {
      return buffer;
    }
    throw new IllegalArgumentException(
        name
            + " lies in "
            + (storage instanceof Storage.Device other
                ? "another context of " + other.deviceId()
                : "host memory")
            + "; allocate it with newArena() of this OpenCL device and upload it");
  }

  /** Offset of the first element of an F32 tensor, in elements. */
  static long floatOffset(Tensor tensor) {
    return tensor.byteOffset() / Float.BYTES;
  }

  /** Offset of a row of a contiguous F32 tensor, in elements. */
  static long rowOffset(Tensor tensor, int row) {
    return floatOffset(tensor) + row * tensor.stride(0);
  }
}
