package io.attention4j.kernels.cpu.simd;

import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.rows.HostMemory;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** The rows of x of one run, in a heap array. */
final class Activations {
  private float[] values = new float[0];
  private final QuantizedRows quantized = new QuantizedRows();
  private Tensor x;
  private int firstRow;
  private int in;
  private boolean quantizes;

  /** Copies rows of x and, if asked for, quantises them. */
  void load(Tensor x, int firstRow, int rows, int inFeatures, boolean quantize) {
    reserve(x, firstRow, rows, inFeatures, quantize);
    load(0, rows);
  }

  /** Binds rows of x without copying them. */
  void reserve(Tensor source, int first, int padded, int inFeatures, boolean quantize) {
    x = source;
    firstRow = first;
    in = inFeatures;
    quantizes = quantize;
    int elements = Math.multiplyExact(padded, in);
    if (values.length < elements) {
      values = new float[elements];
    }
    if (quantize) {
      quantized.reserve(elements);
    }
  }

  /** Copies and quantises rows [from, to) of what was bound. */
  void load(int from, int to) {
    copy(from, to);
    if (quantizes) {
      quantized.quantize(values, from * in, (to - from) * in);
    }
  }

  /**
   * {@link #load} in the order of {@link ShortTiles}.
   *
   * @param to a multiple of {@link ShortTiles#X_ROWS} or the end, behind which rows of zeros follow
   * @param rows of what was bound, whole tiles
   */
  void loadTiles(int from, int to, int rows) {
    copy(from, to);
    int end = Math.ceilDiv(to, ShortTiles.X_ROWS) * ShortTiles.X_ROWS;
    Arrays.fill(values, to * in, end * in, 0);
    quantized.quantizeTiles(values, from, end, rows, in);
  }

  private void copy(int from, int to) {
    long at = x.byteOffset() + ((long) firstRow + from) * in * Float.BYTES;
    MemorySegment.copy(HostMemory.of(x), Tensor.FLOAT, at, values, from * in, (to - from) * in);
  }

  /** Columns. */
  int inFeatures() {
    return in;
  }

  /** [rows, inFeatures]. */
  float[] values() {
    return values;
  }

  /** The same as 8-bit codes, if {@link #load} was asked for them. */
  QuantizedRows quantized() {
    return quantized;
  }
}
