package io.attention4j.llm.decoder;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * Hands the first rows of a tensor in host memory to one of a device. The views of a power of two
 * of rows are made once, since a step allocates nothing.
 */
final class HostCopy {
  private final Device device;
  private final Tensor[] firstRows; // [i]: the first 2^i rows
  private final MemorySegment[] firstBytes;

  /** From a host tensor to one of the same shape. */
  HostCopy(Tensor hostTensor, Tensor target, Device device) {
    this.device = device;
    MemorySegment source = hostTensor.segment();
    long rows = target.extent(0);
    int views = 64 - Long.numberOfLeadingZeros(Math.max(1, rows - 1));
    firstRows = new Tensor[views + 1];
    firstBytes = new MemorySegment[views + 1];
    for (int i = 0; i <= views; i++) {
      firstRows[i] = target.slice(0, 0, Math.min(rows, 1L << i));
      firstBytes[i] = source.asSlice(0, firstRows[i].byteSize());
    }
  }

  /** Brings at least the first rows to the device. */
  void upload(int rows) {
    if (rows > 0) {
      int view = 32 - Integer.numberOfLeadingZeros(rows - 1);
      device.upload(firstBytes[view], firstRows[view]);
    }
  }
}
