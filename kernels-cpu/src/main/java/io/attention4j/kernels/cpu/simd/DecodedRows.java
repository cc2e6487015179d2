package io.attention4j.kernels.cpu.simd;

import io.attention4j.kernels.cpu.rows.RowDecoder;
import java.lang.foreign.MemorySegment;

/** Any format: a row is decoded to f32 and then multiplied. */
final class DecodedRows extends WeightRows {
  private final RowDecoder decoder;

  DecodedRows(RowDecoder decoder) {
    this.decoder = decoder;
  }

  @Override
  public void decode(MemorySegment source, long at, float[] target, int targetAt, int elements) {
    decoder.decode(source, at, target, targetAt, elements);
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
      decoder.decode(weight, at + r * rowBytes, scratch, 0, in);
      out[outAt + r] = dot(scratch, 0, x.values(), xRow * in, in);
    }
  }
}
