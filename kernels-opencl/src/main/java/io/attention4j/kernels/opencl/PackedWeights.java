package io.attention4j.kernels.opencl;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Block formats whose two-byte scale keeps the codes from starting at 16 bytes: on the device all
 * codes come first, block after block, and then all scales.
 *
 * @param scaleAt byte of the scale in a block
 * @param codeBytes bytes of a block without it
 */
record PackedWeights(int scaleAt, int codeBytes) {
  private static final int SCALE_BYTES = 2;

  /** Host memory that a matrix passes through, whatever its size. */
  private static final long STAGE_BYTES = 16L << 20;

  /** How blocks of a type are packed, or null if they stay as they are. */
  static PackedWeights of(DType type) {
    return switch (type) {
      case Q8_0 -> new PackedWeights(0, 32);
      case Q4_0 -> new PackedWeights(0, 16);
      case Q6_K -> new PackedWeights(208, 208);
      default -> null;
    };
  }

  /** Byte of the first scale in the buffer of this many blocks. */
  long scalesAt(long blocks) {
    return blocks * codeBytes;
  }

  /** Copies contiguous rows, which hold whole blocks, to a buffer of as many bytes. */
  void upload(Tensor weight, long blocks, ClBuffer target, ClContext context) {
    int blockBytes = codeBytes + SCALE_BYTES;
    MemorySegment source = weight.segment();
    long most = Math.max(1, Math.min(blocks, STAGE_BYTES / blockBytes));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment codes = arena.allocate(most * codeBytes);
      MemorySegment scales = arena.allocate(most * SCALE_BYTES);
      for (long first = 0; first < blocks; first += most) {
        long count = Math.min(most, blocks - first);
        for (long b = 0; b < count; b++) {
          long at = (first + b) * blockBytes;
          long codesAt = scaleAt == 0 ? at + SCALE_BYTES : at;
          MemorySegment.copy(source, codesAt, codes, b * codeBytes, codeBytes);
          MemorySegment.copy(source, at + scaleAt, scales, b * SCALE_BYTES, SCALE_BYTES);
        }
        context.load(codes.asSlice(0, count * codeBytes), target, first * codeBytes);
        context.load(
            scales.asSlice(0, count * SCALE_BYTES), target, scalesAt(blocks) + first * SCALE_BYTES);
      }
    }
  }
}
