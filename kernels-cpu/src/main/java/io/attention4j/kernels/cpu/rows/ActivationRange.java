package io.attention4j.kernels.cpu.rows;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.ActivationKernel;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** Activations of ranges of elements. */
public abstract class ActivationRange extends RowPieces implements ActivationKernel {
  /** An exponential costs about this many simple operations. */
  private static final int ELEMENT_WEIGHT = 4;

  private Function function;
  private Tensor x;
  private Tensor gated;
  private Tensor out;

  /** Runs on these workers. */
  protected ActivationRange(Parallel workers) {
    super(workers);
  }

  @Override
  public final Support supports(Function wanted) {
    return Support.YES;
  }

  @Override
  public final synchronized void run(
      Function runFunction, Tensor input, Tensor factor, Tensor output, long elements) {
    TensorChecks.requireFloats("x", input, elements);
    TensorChecks.requireFloats("out", output, elements);
    if (factor != null) {
      TensorChecks.requireFloats("gated", factor, elements);
    }
    function = runFunction;
    x = input;
    gated = factor;
    out = output;
    sweep(elements, ELEMENT_WEIGHT);
    x = null;
    gated = null;
    out = null;
  }

  @Override
  protected final void range(long from, long to, int worker) {
    long bytes = from * Float.BYTES;
    apply(
        function,
        HostMemory.of(x),
        x.byteOffset() + bytes,
        gated == null ? null : HostMemory.of(gated),
        gated == null ? 0 : gated.byteOffset() + bytes,
        HostMemory.of(out),
        out.byteOffset() + bytes,
        to - from);
  }

  /** out = f(x), times gated unless that is null. Offsets count bytes. */
  protected abstract void apply(
      Function function,
      MemorySegment x,
      long at,
      MemorySegment gated,
      long gatedAt,
      MemorySegment out,
      long outAt,
      long elements);
}
