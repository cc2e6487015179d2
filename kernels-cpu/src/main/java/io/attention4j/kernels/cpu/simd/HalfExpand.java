package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.INT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static jdk.incubator.vector.VectorOperators.EQ;
import static jdk.incubator.vector.VectorOperators.LSHL;

import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** Half-precision numbers as floats, exactly. */
final class HalfExpand {
  private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;

  /** The bits of a half are this much too small as those of a float. */
  private static final float UNIT = 0x1p112f;

  private static final int EXPONENT = 0x7c00;

  /** As many halves as a vector of floats. */
  private static final VectorSpecies<Short> HALVES =
      VectorSpecies.of(short.class, VectorShape.forBitSize(Species.BITS / 2));

  private HalfExpand() {}

  /** Writes {@code count} halves from byte {@code from} on as floats from byte {@code at} on. */
  static void floats(MemorySegment memory, long from, int count, MemorySegment to, long at) {
    if (!memory.isNative() || !to.isNative()) {
      throw NativeMemory.required();
    }
    int i = 0;
    for (; i <= count - LANES; i += LANES) {
      IntVector bits = bits(memory, from + 2L * i);
      if (!finite(bits)) {
        break;
      }
      floats(bits).intoMemorySegment(to, at + 4L * i, ORDER);
    }
    for (; i < count; i++) {
      float x = Float.float16ToFloat(memory.get(Tensor.SHORT, from + 2L * i));
      to.set(Tensor.FLOAT, at + 4L * i, x);
    }
  }

  /** The bits of halves, one per lane. */
  static IntVector bits(MemorySegment memory, long at) {
    return (IntVector) ShortVector.fromMemorySegment(HALVES, memory, at, ORDER).castShape(INT, 0);
  }

  /** Whether no half is infinite or NaN. */
  static boolean finite(IntVector bits) {
    return !bits.and(EXPONENT).compare(EQ, EXPONENT).anyTrue();
  }

  /** Values of finite halves. */
  static FloatVector floats(IntVector bits) {
    IntVector magnitude = bits.and(0x7fff).lanewise(LSHL, 13);
    IntVector sign = bits.and(0x8000).lanewise(LSHL, 16);
    return magnitude.or(sign).reinterpretAsFloats().mul(UNIT);
  }
}
