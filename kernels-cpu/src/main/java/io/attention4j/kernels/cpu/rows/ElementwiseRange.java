package io.attention4j.kernels.cpu.rows;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.ElementwiseKernel;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** Elementwise operations on ranges of elements. */
public abstract class ElementwiseRange extends RowPieces implements ElementwiseKernel {
  private Operation operation;
  private Tensor x;
  private Tensor y;
  private float scalar;

  /** Runs on these workers. */
  protected ElementwiseRange(Parallel workers) {
    super(workers);
  }

  @Override
  public final Support supports(Operation wanted) {
    return Support.YES;
  }

  @Override
  public final synchronized void run(
      Operation runOperation, Tensor first, Tensor second, float factor, long elements) {
    TensorChecks.requireElementwise(runOperation, first, second, elements);
    operation = runOperation;
    x = first;
    y = second;
    scalar = factor;
    sweep(elements, 1);
    x = null;
    y = null;
  }

  @Override
  protected final void range(long from, long to, int worker) {
    long bytes = from * Float.BYTES;
    apply(
        operation,
        HostMemory.of(x),
        x.byteOffset() + bytes,
        y == null ? null : HostMemory.of(y),
        y == null ? 0 : y.byteOffset() + bytes,
        scalar,
        to - from);
  }

  /** x = x op (y or scalar); y is null for the scalar operations. Offsets count bytes. */
  protected abstract void apply(
      Operation operation,
      MemorySegment x,
      long at,
      MemorySegment y,
      long yAt,
      float scalar,
      long elements);
}
