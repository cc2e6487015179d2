package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.tensor.DType;
import io.attention4j.kernels.cpu.rows.RowDecoder;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/**
 * Weight rows of one storage format: how to decode them and how to multiply them with one row of x.
 * Stateless.
 */
abstract class WeightRows implements RowDecoder {
  /** The rows of a type. */
  static WeightRows of(DType dtype) {
    return switch (dtype) {
      case F32 -> new F32Rows();
      case F16 -> new F16Rows();
      case BF16 -> new Bf16Rows();
      case Q8_0 -> new Q8Rows();
      case Q4_0 -> new Q4Rows();
      case Q6_K -> new DecodedRows(new Q6KRows());
      default -> new DecodedRows(RowDecoder.plain(dtype));
    };
  }

  /** Rows of x up to which {@link #dots} for each beats decoding once and a register tile. */
  abstract int directRows();

  /**
   * Products of consecutive weight rows with row {@code xRow} of x.
   *
   * @param at byte of the first weight row, the next one {@code rowBytes} further
   * @param scratch for one decoded row
   */
  abstract void dots(
      MemorySegment weight,
      long at,
      long rowBytes,
      int rows,
      Activations x,
      int xRow,
      float[] out,
      int outAt,
      float[] scratch);

  /** The product of two float rows; four sums per lane. */
  static float dot(float[] a, int aAt, float[] b, int bAt, int count) {
    FloatVector s0 = FloatVector.zero(FLOAT);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    int i = 0;
    for (; i + 4 * LANES <= count; i += 4 * LANES) {
      s0 =
          FloatVector.fromArray(FLOAT, a, aAt + i)
              .fma(FloatVector.fromArray(FLOAT, b, bAt + i), s0);
      s1 =
          FloatVector.fromArray(FLOAT, a, aAt + i + LANES)
              .fma(FloatVector.fromArray(FLOAT, b, bAt + i + LANES), s1);
      s2 =
          FloatVector.fromArray(FLOAT, a, aAt + i + 2 * LANES)
              .fma(FloatVector.fromArray(FLOAT, b, bAt + i + 2 * LANES), s2);
      s3 =
          FloatVector.fromArray(FLOAT, a, aAt + i + 3 * LANES)
              .fma(FloatVector.fromArray(FLOAT, b, bAt + i + 3 * LANES), s3);
    }
    float sum = LaneSum.of(s0.add(s1).add(s2.add(s3)));
    for (; i < count; i++) {
      sum = Math.fma(a[aAt + i], b[bAt + i], sum);
    }
    return sum;
  }
}
