package io.attention4j.kernels.cpu.matmul;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.MatmulKernel.MatmulPlan;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.rows.HostMemory;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A plan that computes bands of weight rows in one parallel run over all weights. Scratch memory
 * belongs to the kernel and is shared by its plans, so runs hold the kernel's monitor.
 */
public abstract class BandedPlan implements MatmulPlan, Parallel.Body {
  private final List<Tensor> weights;
  private final float[][] biases;
  private final Parallel workers;
  private final Object kernel;
  private final long weightBytes;
  private Tensor[] outputs;
  private boolean accumulate;

  /**
   * Binds the weights and copies the biases.
   *
   * @param kernel the owner of the scratch memory
   */
  protected BandedPlan(List<Tensor> weights, List<Tensor> biases, Parallel workers, Object kernel) {
    TensorChecks.requireWeights(weights, biases);
    this.weights = List.copyOf(weights);
    this.biases = new float[weights.size()][];
    for (int i = 0; biases != null && i < biases.size(); i++) {
      this.biases[i] = biases.get(i) == null ? null : biases.get(i).toFloats();
    }
    this.workers = workers;
    this.kernel = kernel;
    this.weightBytes = weights.stream().mapToLong(Tensor::byteSize).sum();
  }

  @Override
  public final void run(Tensor x, int rows, Tensor[] results, boolean add) {
    TensorChecks.requireMatmul(weights, x, rows, results);
    if (rows == 0) {
      return;
    }
    synchronized (kernel) {
      outputs = results;
      accumulate = add;
      try {
        multiply(x, rows);
      } finally {
        outputs = null;
      }
    }
  }

  /** Computes all outputs for the first rows of x: one or more calls of {@link #forAll}. */
  protected abstract void multiply(Tensor x, int rows);

  /** Runs this body for every piece. */
  protected final void forAll(int pieces) {
    workers.run(pieces, this);
  }

  /** A weight. */
  protected final Tensor weight(int index) {
    return weights.get(index);
  }

  /** The weights. */
  protected final List<Tensor> weights() {
    return weights;
  }

  /** Columns of every weight. */
  protected final int inFeatures() {
    return Math.toIntExact(weights.getFirst().extent(1));
  }

  /** Byte offset of a row of a weight in its storage. */
  protected static long rowAt(Tensor weight, long row) {
    return weight.byteOffset() + weight.dtype().bytes(row * weight.stride(0));
  }

  /**
   * Stores products of one row of x with {@code count} rows of a weight from {@code firstRow} on,
   * which stand at {@code sums[at]} and on; changes them.
   */
  protected final void store(
      int weightIndex, int row, long firstRow, int count, float[] sums, int at) {
    Tensor out = outputs[weightIndex];
    MemorySegment target = HostMemory.of(out);
    long outFeatures = weights.get(weightIndex).extent(0);
    long first = out.byteOffset() + (row * outFeatures + firstRow) * Float.BYTES;
    float[] bias = biases[weightIndex];
    for (int i = 0; bias != null && i < count; i++) {
      sums[at + i] += bias[(int) firstRow + i];
    }
    for (int i = 0; accumulate && i < count; i++) {
      sums[at + i] += target.get(Tensor.FLOAT, first + 4L * i);
    }
    MemorySegment.copy(sums, at, target, Tensor.FLOAT, first, count);
  }

  @Override
  public final long weightBytes() {
    return weightBytes;
  }

  @Override
  public void close() {}
}
