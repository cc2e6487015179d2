package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.RowCodec;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;

/** Q8_0 weights: blocks of an F16 scale and 32 signed codes. */
final class Q8Rows extends WeightRows {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final int BLOCK_BYTES = 34;
  private static final RowCodec PLAIN = RowCodec.of(DType.Q8_0);

  @Override
  public void decode(MemorySegment source, long at, float[] target, int targetAt, int elements) {
    if (LANES < 8) {
      PLAIN.decode(source, at, target, targetAt, elements);
      return;
    }
    for (int i = 0; i < elements; i += 32) {
      long block = at + (long) (i >> 5) * BLOCK_BYTES;
      float scale = Float.float16ToFloat(source.get(Tensor.SHORT, block));
      for (int j = 0; j < 32; j += LANES) {
        ByteVector codes = ByteVector.fromMemorySegment(Species.CODES, source, block + 2 + j, LE);
        ((FloatVector) codes.castShape(FLOAT, 0)).mul(scale).intoArray(target, targetAt + i + j);
      }
    }
  }

  @Override
  int directRows() {
    return LANES < 8 ? 1 : 4;
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
    float[] values = x.values();
    for (int r = 0; r < rows; r++) {
      long row = at + r * rowBytes;
      if (LANES == 16) {
        out[outAt + r] = dot512(weight, row, values, xRow * in, in);
      } else if (LANES == 8) {
        out[outAt + r] = dot256(weight, row, values, xRow * in, in);
      } else {
        decode(weight, row, scratch, 0, in);
        out[outAt + r] = dot(scratch, 0, values, xRow * in, in);
      }
    }
  }

  private static float dot512(MemorySegment w, long at, float[] x, int xAt, int count) {
    FloatVector s0 = FloatVector.zero(FLOAT);
    long block = at;
    for (int i = xAt; i < xAt + count; i += 32, block += BLOCK_BYTES) {
      float scale = Float.float16ToFloat(w.get(Tensor.SHORT, block));
      FloatVector q0 =
          (FloatVector)
              ByteVector.fromMemorySegment(Species.CODES, w, block + 2, LE).castShape(FLOAT, 0);
      FloatVector q1 =
          (FloatVector)
              ByteVector.fromMemorySegment(Species.CODES, w, block + 18, LE).castShape(FLOAT, 0);
      FloatVector p = q0.mul(FloatVector.fromArray(FLOAT, x, i));
      p = q1.fma(FloatVector.fromArray(FLOAT, x, i + 16), p);
      s0 = p.fma(FloatVector.broadcast(FLOAT, scale), s0);
    }
    return LaneSum.of(s0);
  }

  private static float dot256(MemorySegment w, long at, float[] x, int xAt, int count) {
    FloatVector s0 = FloatVector.zero(FLOAT);
    long block = at;
    for (int i = xAt; i < xAt + count; i += 32, block += BLOCK_BYTES) {
      float scale = Float.float16ToFloat(w.get(Tensor.SHORT, block));
      FloatVector q0 =
          (FloatVector)
              ByteVector.fromMemorySegment(Species.CODES, w, block + 2, LE).castShape(FLOAT, 0);
      FloatVector q1 =
          (FloatVector)
              ByteVector.fromMemorySegment(Species.CODES, w, block + 10, LE).castShape(FLOAT, 0);
      FloatVector q2 =
          (FloatVector)
              ByteVector.fromMemorySegment(Species.CODES, w, block + 18, LE).castShape(FLOAT, 0);
      FloatVector q3 =
          (FloatVector)
              ByteVector.fromMemorySegment(Species.CODES, w, block + 26, LE).castShape(FLOAT, 0);
      FloatVector p = q0.mul(FloatVector.fromArray(FLOAT, x, i));
      FloatVector q = q1.mul(FloatVector.fromArray(FLOAT, x, i + 8));
      p = q2.fma(FloatVector.fromArray(FLOAT, x, i + 16), p);
      q = q3.fma(FloatVector.fromArray(FLOAT, x, i + 24), q);
      s0 = p.add(q).fma(FloatVector.broadcast(FLOAT, scale), s0);
    }
    return LaneSum.of(s0);
  }
}
