package io.attention4j.kernels.cpu.rows;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.SoftmaxKernel;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** Softmax, row by row. */
public abstract class SoftmaxRows extends RowPieces implements SoftmaxKernel {
  private Tensor x;
  private Tensor out;
  private int size;

  /** Runs on these workers. */
  protected SoftmaxRows(Parallel workers) {
    super(workers);
  }

  @Override
  public final Support supports(Integer wanted) {
    return Support.YES;
  }

  @Override
  public final synchronized void run(Tensor input, int rows, int rowSize, Tensor output) {
    TensorChecks.requireRows("x", input, rows, rowSize);
    TensorChecks.requireRows("out", output, rows, rowSize);
    x = input;
    out = output;
    size = rowSize;
    sweep(rows, rowSize);
    x = null;
    out = null;
  }

  @Override
  protected final void range(long from, long to, int worker) {
    long rowBytes = (long) size * Float.BYTES;
    for (long row = from; row < to; row++) {
      softmax(
          HostMemory.of(x),
          x.byteOffset() + row * rowBytes,
          HostMemory.of(out),
          out.byteOffset() + row * rowBytes,
          size);
    }
  }

  /** out = exp(x - max) / sum of it, or zeros where every x is -inf. Offsets count bytes. */
  protected abstract void softmax(
      MemorySegment x, long at, MemorySegment out, long outAt, int elements);
}
