package io.attention4j.benchmarks.kernel;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/** Data of tensors that may lie on a device of its own. */
final class DeviceData {
  private DeviceData() {}

  /** Lets {@code write} fill host memory of a contiguous tensor's size and brings it there. */
  static void fill(Device device, Tensor tensor, Consumer<MemorySegment> write) {
    if (tensor.storage() instanceof Storage.Host) {
      write.accept(tensor.segment().asSlice(0, tensor.byteSize()));
      return;
    }
    try (Arena host = Arena.ofConfined()) {
      MemorySegment staged = host.allocate(tensor.byteSize(), Tensor.ALIGNMENT_BYTES);
      write.accept(staged);
      device.upload(staged, tensor);
    }
  }

  /** The elements of a contiguous F32 tensor. */
  static float[] floats(Device device, Tensor tensor) {
    if (tensor.storage() instanceof Storage.Host) {
      return tensor.toFloats();
    }
    try (Arena host = Arena.ofConfined()) {
      MemorySegment staged = host.allocate(tensor.byteSize(), Tensor.ALIGNMENT_BYTES);
      device.download(tensor, staged);
      return staged.toArray(Tensor.FLOAT);
    }
  }

  /** A tensor of one element whose download waits for what a device was given before, or null. */
  static Tensor fence(Device device, Device.TensorArena arena) {
    Tensor fence = arena.allocate(DType.F32, 1);
    return fence.storage() instanceof Storage.Host ? null : fence;
  }
}
