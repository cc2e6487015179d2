package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.INT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHR;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.RowCodec;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.rows.RowDecoder;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/** Decodes Q6_K with vectors; {@link RowCodec} describes the layout. */
final class Q6KRows implements RowDecoder {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final RowCodec PLAIN = RowCodec.of(DType.Q6_K);
  private static final int BLOCK_BYTES = 210;

  @Override
  public void decode(MemorySegment source, long at, float[] target, int targetAt, int elements) {
    if (LANES < 8) {
      PLAIN.decode(source, at, target, targetAt, elements);
      return;
    }
    for (int i = 0; i < elements; i += 256) {
      long block = at + i / 256L * BLOCK_BYTES;
      float d = Float.float16ToFloat(source.get(Tensor.SHORT, block + 208));
      for (int sub = 0; sub < 16; sub++) {
        float scale = d * source.get(ValueLayout.JAVA_BYTE, block + 192 + sub);
        int quarter = sub % 8 / 2;
        long low = block + 64 * (sub / 8) + 32 * (quarter & 1) + 16 * (sub & 1);
        long high = block + 128 + 32 * (sub / 8) + 16 * (sub & 1);
        decodeSub(
            source,
            low,
            4 * (quarter >> 1),
            high,
            2 * quarter,
            scale,
            target,
            targetAt + i + 16 * sub);
      }
    }
  }

  private static void decodeSub(
      MemorySegment source,
      long low,
      int lowShift,
      long high,
      int highShift,
      float scale,
      float[] target,
      int to) {
    for (int j = 0; j < 16; j += LANES) {
      IntVector lows =
          (IntVector)
              ByteVector.fromMemorySegment(Species.CODES, source, low + j, LE).castShape(INT, 0);
      IntVector highs =
          (IntVector)
              ByteVector.fromMemorySegment(Species.CODES, source, high + j, LE).castShape(INT, 0);
      IntVector codes =
          lows.lanewise(LSHR, lowShift)
              .and(15)
              .or(highs.lanewise(LSHR, highShift).and(3).mul(16))
              .sub(32);
      ((FloatVector) codes.convert(I2F, 0)).mul(scale).intoArray(target, to + j);
    }
  }
}
