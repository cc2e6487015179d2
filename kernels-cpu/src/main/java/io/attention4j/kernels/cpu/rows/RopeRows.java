package io.attention4j.kernels.cpu.rows;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.RopeKernel;
import io.attention4j.engine.spi.RopeSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** Rotation of the heads of each row. */
public abstract class RopeRows extends RowPieces implements RopeKernel {
  private RopeSpec spec;
  private Tensor x;
  private Tensor cos;
  private Tensor sin;

  /** Runs on these workers. */
  protected RopeRows(Parallel workers) {
    super(workers);
  }

  @Override
  public final Support supports(RopeSpec wanted) {
    return Support.YES;
  }

  @Override
  public final synchronized void run(
      RopeSpec runSpec, Tensor input, int rows, Tensor cosines, Tensor sines) {
    TensorChecks.requireHeads("x", input, rows, runSpec.headDim());
    TensorChecks.requireRows("cos", cosines, rows, runSpec.rotaryDim() / 2);
    TensorChecks.requireRows("sin", sines, rows, runSpec.rotaryDim() / 2);
    spec = runSpec;
    x = input;
    cos = cosines;
    sin = sines;
    sweep(rows, input.extent(1) * runSpec.headDim());
    x = null;
    cos = null;
    sin = null;
  }

  @Override
  protected final void range(long from, long to, int worker) {
    int pairs = spec.rotaryDim() / 2;
    int heads = Math.toIntExact(x.extent(1));
    long rowBytes = (long) heads * spec.headDim() * Float.BYTES;
    for (long row = from; row < to; row++) {
      long angle = row * pairs * Float.BYTES;
      rotate(
          spec,
          HostMemory.of(x),
          x.byteOffset() + row * rowBytes,
          heads,
          HostMemory.of(cos),
          cos.byteOffset() + angle,
          HostMemory.of(sin),
          sin.byteOffset() + angle,
          worker);
    }
  }

  /** Rotates all heads of one row by the same angles. Offsets count bytes. */
  protected abstract void rotate(
      RopeSpec spec,
      MemorySegment x,
      long at,
      int heads,
      MemorySegment cos,
      long cosAt,
      MemorySegment sin,
      long sinAt,
      int worker);
}
