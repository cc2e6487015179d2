package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.INT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.RowCodec;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/** Q4_0 weights: blocks of an F16 scale and 32 codes of 4 bits, element i beside i + 16. */
final class Q4Rows extends WeightRows {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final int BLOCK_BYTES = 18;
  private static final RowCodec PLAIN = RowCodec.of(DType.Q4_0);

  @Override
  public void decode(MemorySegment source, long at, float[] target, int targetAt, int elements) {
    if (LANES < 8) {
      PLAIN.decode(source, at, target, targetAt, elements);
      return;
    }
    for (int i = 0; i < elements; i += 32) {
      long block = at + (long) (i >> 5) * BLOCK_BYTES;
      float scale = Float.float16ToFloat(source.get(Tensor.SHORT, block));
      for (int j = 0; j < 16; j += LANES) {
        IntVector codes =
            (IntVector)
                ByteVector.fromMemorySegment(Species.CODES, source, block + 2 + j, LE)
                    .castShape(INT, 0);
        ((FloatVector) codes.and(15).sub(8).convert(VectorOperators.I2F, 0))
            .mul(scale)
            .intoArray(target, targetAt + i + j);
        ((FloatVector)
                codes
                    .lanewise(VectorOperators.LSHR, 4)
                    .and(15)
                    .sub(8)
                    .convert(VectorOperators.I2F, 0))
            .mul(scale)
            .intoArray(target, targetAt + i + j + 16);
      }
    }
  }

  @Override
  int directRows() {
    return 1;
  }

  @Override
  void dots(
      MemorySegment weight,
      long at,
      long rowBytes,
      int rows,
      Activations x,
      int xRow,
      float[] out,
      int outAt,
      float[] scratch) {
    int in = x.inFeatures();
    for (int r = 0; r < rows; r++) {
      decode(weight, at + r * rowBytes, scratch, 0, in);
      out[outAt + r] = dot(scratch, 0, x.values(), xRow * in, in);
    }
  }
}
