package io.attention4j.llm.decoder;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Host memory of a tensor: its own, or other memory of which the first rows are uploaded. The views
 * of a power of two of rows are made once, since a step allocates nothing.
 */
final class HostCopy {
  private final Device device;
  private final MemorySegment memory;
  private final Tensor[] firstRows; // [i]: the first 2^i rows, null for host tensors
  private final MemorySegment[] firstBytes;

  /** A copy in memory of its own, where the tensor does not lie in host memory. */
  HostCopy(Tensor tensor, Device device, Arena hostArena) {
    this(
        tensor,
        device,
        tensor.storage() instanceof Storage.Host
            ? tensor.segment()
            : hostArena.allocate(tensor.byteSize(), Tensor.ALIGNMENT_BYTES),
        tensor.storage() instanceof Storage.Host);
  }

  private HostCopy(Tensor tensor, Device device, MemorySegment memory, boolean itself) {
    this.device = device;
    this.memory = memory;
    if (itself) {
      firstRows = null;
      firstBytes = null;
      return;
    }
    long rows = tensor.extent(0);
    int views = 64 - Long.numberOfLeadingZeros(Math.max(1, rows - 1));
    firstRows = new Tensor[views + 1];
    firstBytes = new MemorySegment[views + 1];
    for (int i = 0; i <= views; i++) {
      firstRows[i] = tensor.slice(0, 0, Math.min(rows, 1L << i));
      firstBytes[i] = memory.asSlice(0, firstRows[i].byteSize());
    }
  }

  /** Hands the rows of a host tensor to another tensor of the same shape. */
  static HostCopy between(Tensor hostTensor, Tensor target, Device device) {
    MemorySegment source = hostTensor.segment().asSlice(0, hostTensor.byteSize());
    return new HostCopy(target, device, source, false);
  }

  MemorySegment memory() {
    return memory;
  }

  /** Brings at least the first rows to the tensor. */
  void upload(int rows) {
    if (firstRows != null && rows > 0) {
      int view = 32 - Integer.numberOfLeadingZeros(rows - 1);
      device.upload(firstBytes[view], firstRows[view]);
    }
  }
}
