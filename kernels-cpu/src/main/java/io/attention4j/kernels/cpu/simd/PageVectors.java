package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.INT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.tensor.BFloat16;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.attention.PageFormat;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * {@link Species#LANES} elements of a page as floats. Each method is small enough for C2 to inline
 * wherever it is hot; a method that chose among them would not be, so callers choose in their
 * loops.
 */
final class PageVectors {
  private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;

  private static final VectorSpecies<Short> SHORTS =
      VectorSpecies.of(short.class, VectorShape.forBitSize(LANES * Short.SIZE));

  /**
   * At 128 bits there is no species of 4 bytes: 8 are read and 4 used. The scales that follow the
   * codes keep that inside the page.
   */
  private static final VectorSpecies<Byte> BYTES =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, LANES * Byte.SIZE)));

  private static final int SIGN_AND_MAGNITUDE = 0x8fffe000;
  private static final short HALF_EXPONENT = 0x7c00;
  private static final int EXPONENT = 0x0f800000;
  private static final int FLOAT_EXPONENT = 0x7f800000;

  private PageVectors() {}

  static FloatVector f32(MemorySegment memory, long at) {
    return FloatVector.fromMemorySegment(FLOAT, memory, at, ORDER);
  }

  /**
   * Half precision without F16C, which the Vector API cannot name: sign, exponent and mantissa move
   * to their places and 2^112 corrects the exponent's bias, subnormals included.
   */
  static FloatVector f16(MemorySegment memory, long at) {
    return widen(ShortVector.fromMemorySegment(SHORTS, memory, at, ORDER));
  }

  private static FloatVector widen(ShortVector half) {
    IntVector bits =
        ((IntVector) half.castShape(INT, 0))
            .lanewise(VectorOperators.LSHL, 13)
            .and(SIGN_AND_MAGNITUDE);
    FloatVector finite = bits.reinterpretAsFloats().mul(0x1p112f);
    // Infinities and NaN are so rare that a branch, taken never, beats a blend.
    if (half.and(HALF_EXPONENT).compare(VectorOperators.EQ, HALF_EXPONENT).anyTrue()) {
      VectorMask<Integer> special = bits.and(EXPONENT).compare(VectorOperators.EQ, EXPONENT);
      return finite.blend(bits.or(FLOAT_EXPONENT).reinterpretAsFloats(), special.cast(FLOAT));
    }
    return finite;
  }

  static FloatVector bf16(MemorySegment memory, long at) {
    ShortVector half = ShortVector.fromMemorySegment(SHORTS, memory, at, ORDER);
    return ((IntVector) half.castShape(INT, 0))
        .lanewise(VectorOperators.LSHL, 16)
        .reinterpretAsFloats();
  }

  /** Codes without their scale. */
  static FloatVector q8(MemorySegment memory, long at) {
    return (FloatVector) ByteVector.fromMemorySegment(BYTES, memory, at, ORDER).castShape(FLOAT, 0);
  }

  /** One element, for the tails of rows; a Q8 code without its scale. */
  static float element(PageFormat format, MemorySegment memory, long at) {
    return switch (format) {
      case F32 -> memory.get(Tensor.FLOAT, at);
      case F16 -> Float.float16ToFloat(memory.get(Tensor.SHORT, at));
      case BF16 -> BFloat16.toFloat(memory.get(Tensor.SHORT, at));
      case Q8 -> memory.get(ValueLayout.JAVA_BYTE, at);
    };
  }
}
