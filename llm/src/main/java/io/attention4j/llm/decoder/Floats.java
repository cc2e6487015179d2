package io.attention4j.llm.decoder;

import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * The elements of a contiguous F32 host tensor. Recurrent layers mix, gate and normalise small
 * vectors between their products; kernels for each such step would be more code than the steps.
 */
final class Floats {
  private final MemorySegment memory;
  private final long offset;

  private Floats(MemorySegment memory, long offset) {
    this.memory = memory;
    this.offset = offset;
  }

  /**
   * A view.
   *
   * @throws IllegalArgumentException if the tensor lives on a device
   */
  static Floats of(Tensor tensor) {
    if (tensor.storage() instanceof Storage.Host host) {
      return new Floats(host.segment(), tensor.byteOffset());
    }
    throw new IllegalArgumentException(
        "recurrent layers compute in host memory, but "
            + tensor
            + " lives on a device; choose CPU kernels");
  }

  float get(long index) {
    return memory.get(Tensor.FLOAT, offset + index * Float.BYTES);
  }

  void set(long index, float value) {
    memory.set(Tensor.FLOAT, offset + index * Float.BYTES, value);
  }

  /** Copies elements of another. */
  void copy(long to, Floats from, long at, long count) {
    MemorySegment.copy(
        from.memory,
        from.offset + at * Float.BYTES,
        memory,
        offset + to * Float.BYTES,
        count * Float.BYTES);
  }
}
