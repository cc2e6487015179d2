package io.attention4j.engine.tensor;

import java.lang.foreign.MemorySegment;

/** Where the bytes of a tensor are. */
public sealed interface Storage {
  /** Size in bytes. */
  long byteSize();

  /** Memory this process can read: off-heap or a mapped file. */
  record Host(MemorySegment segment) implements Storage {
    /** Refuses heap segments: kernels compile to one access pattern, that of native memory. */
    public Host {
      if (!segment.isNative()) {
        throw new IllegalArgumentException(
            "tensors need native or mapped memory; allocate with an Arena instead of wrapping an"
                + " array");
      }
    }

    @Override
    public long byteSize() {
      return segment.byteSize();
    }
  }

  /** Memory of an accelerator; the provider casts {@code handle} to its own buffer type. */
  record Device(String deviceId, Object handle, long byteSize) implements Storage {}
}
