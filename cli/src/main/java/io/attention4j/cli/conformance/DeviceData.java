package io.attention4j.cli.conformance;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Tensors of one case in a device's memory; closing frees them. */
final class DeviceData implements AutoCloseable {
  private final Device device;
  private final Device.TensorArena arena;

  DeviceData(Device device) {
    this.device = device;
    this.arena = device.newArena();
  }

  /** A tensor of zeros. */
  Tensor zeros(DType dtype, long... extents) {
    return arena.allocate(dtype, extents);
  }

  /** An F32 tensor with these values. */
  Tensor floats(float[] values, long... extents) {
    Tensor tensor = arena.allocate(DType.F32, extents);
    try (Arena host = Arena.ofConfined()) {
      MemorySegment copy = host.allocate(tensor.byteSize(), Tensor.ALIGNMENT_BYTES);
      MemorySegment.copy(values, 0, copy, Tensor.FLOAT, 0, values.length);
      device.upload(copy, tensor);
    }
    return tensor;
  }

  /** An I8 tensor with these values. */
  Tensor bytes(byte[] values, long... extents) {
    Tensor tensor = arena.allocate(DType.I8, extents);
    try (Arena host = Arena.ofConfined()) {
      MemorySegment copy = host.allocate(tensor.byteSize(), Tensor.ALIGNMENT_BYTES);
      MemorySegment.copy(MemorySegment.ofArray(values), 0, copy, 0, values.length);
      device.upload(copy, tensor);
    }
    return tensor;
  }

  /** Values of a contiguous F32 or F16 tensor. */
  float[] read(Tensor tensor) {
    float[] values = new float[Math.toIntExact(tensor.shape().elements())];
    try (Arena host = Arena.ofConfined()) {
      MemorySegment copy = host.allocate(tensor.byteSize(), Tensor.ALIGNMENT_BYTES);
      device.download(tensor, copy);
      for (int i = 0; i < values.length; i++) {
        values[i] =
            tensor.dtype() == DType.F16
                ? Float.float16ToFloat(copy.getAtIndex(Tensor.SHORT, i))
                : copy.getAtIndex(Tensor.FLOAT, i);
      }
    }
    return values;
  }

  @Override
  public void close() {
    arena.close();
  }
}
