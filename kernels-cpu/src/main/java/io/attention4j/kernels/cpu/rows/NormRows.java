package io.attention4j.kernels.cpu.rows;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.NormKernel;
import io.attention4j.engine.spi.NormSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** Normalisation, row by row. */
public abstract class NormRows extends RowPieces implements NormKernel {
  private NormSpec spec;
  private Tensor x;
  private Tensor weight;
  private Tensor bias;
  private Tensor out;

  /** Runs on these workers. */
  protected NormRows(Parallel workers) {
    super(workers);
  }

  @Override
  public final Support supports(NormSpec wanted) {
    return Support.YES;
  }

  @Override
  public final synchronized void run(
      NormSpec runSpec, Tensor input, int rows, Tensor scale, Tensor shift, Tensor output) {
    TensorChecks.requireRows("x", input, rows, runSpec.size());
    TensorChecks.requireRows("out", output, rows, runSpec.size());
    TensorChecks.requireVectorOrNull("weight", scale, runSpec.size());
    TensorChecks.requireVectorOrNull("bias", shift, runSpec.size());
    spec = runSpec;
    x = input;
    weight = scale;
    bias = shift;
    out = output;
    sweep(rows, runSpec.size());
    x = null;
    weight = null;
    bias = null;
    out = null;
  }

  @Override
  protected final void range(long from, long to, int worker) {
    MemorySegment xs = HostMemory.of(x);
    MemorySegment outs = HostMemory.of(out);
    MemorySegment weights = weight == null ? null : HostMemory.of(weight);
    MemorySegment biases = bias == null ? null : HostMemory.of(bias);
    long weightAt = weight == null ? 0 : weight.byteOffset();
    long biasAt = bias == null ? 0 : bias.byteOffset();
    long rowBytes = (long) spec.size() * Float.BYTES;
    for (long row = from; row < to; row++) {
      long xAt = x.byteOffset() + row * rowBytes;
      long outAt = out.byteOffset() + row * rowBytes;
      float mean = spec.kind() == NormSpec.Kind.LAYER ? mean(xs, xAt, spec.size()) : 0;
      float meanSquare = meanSquare(xs, xAt, spec.size(), mean);
      float inverse = (float) (1 / Math.sqrt((double) meanSquare + spec.epsilon()));
      scale(
          xs,
          xAt,
          spec.size(),
          mean,
          inverse,
          weights,
          weightAt,
          spec.weightOffset(),
          biases,
          biasAt,
          outs,
          outAt);
    }
  }

  /** The mean of {@code size} floats from byte {@code at} on. */
  protected abstract float mean(MemorySegment x, long at, int size);

  /** The mean of (x - center)^2. */
  protected abstract float meanSquare(MemorySegment x, long at, int size, float center);

  /**
   * out = (x - center) * inverse * (weight + weightOffset) + bias; weight and bias may be null for
   * 1 and 0. Offsets count bytes.
   */
  protected abstract void scale(
      MemorySegment x,
      long at,
      int size,
      float center,
      float inverse,
      MemorySegment weight,
      long weightAt,
      float weightOffset,
      MemorySegment bias,
      long biasAt,
      MemorySegment out,
      long outAt);
}
