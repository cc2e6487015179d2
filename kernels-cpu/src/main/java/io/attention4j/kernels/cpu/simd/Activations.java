package io.attention4j.kernels.cpu.simd;

import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.rows.HostMemory;
import java.lang.foreign.MemorySegment;

/** The rows of x of one run, in a heap array. */
final class Activations {
  private float[] values = new float[0];
  private final QuantizedRows quantized = new QuantizedRows();
  private int in;

  /** Copies rows of x and, if asked for, quantises them. */
  void load(Tensor x, int firstRow, int rows, int inFeatures, boolean quantize) {
    in = inFeatures;
    int elements = Math.multiplyExact(rows, in);
    if (values.length < elements) {
      values = new float[elements];
    }
    long at = x.byteOffset() + (long) firstRow * in * Float.BYTES;
    MemorySegment.copy(HostMemory.of(x), Tensor.FLOAT, at, values, 0, elements);
    if (quantize) {
      quantized.quantize(values, rows, in);
    }
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
