package io.attention4j.kernels.cpu.rows;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.RowCodec;
import java.lang.foreign.MemorySegment;

/** Reads elements of one storage format as f32; stateless. {@link RowCodec} is the plain one. */
@FunctionalInterface
public interface RowDecoder {
  /**
   * Reads {@code elements} (a multiple of the block size) from a byte of the source, as {@link
   * RowCodec#decode} does.
   */
  void decode(
      MemorySegment source, long byteOffset, float[] target, int targetOffset, int elements);

  /** The plain loops. */
  static RowDecoder plain(DType dtype) {
    return RowCodec.of(dtype)::decode;
  }
}
