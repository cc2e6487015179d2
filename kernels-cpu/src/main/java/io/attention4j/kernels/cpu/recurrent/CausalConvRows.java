package io.attention4j.kernels.cpu.recurrent;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.CausalConvKernel;
import io.attention4j.engine.spi.CausalConvSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.rows.HostMemory;
import io.attention4j.kernels.cpu.rows.RowPieces;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Depthwise convolution by blocks of channels. A block's state and weights are turned so that
 * channels are adjacent; each output row is then a sum of rows, tap by tap.
 */
public abstract class CausalConvRows extends RowPieces implements CausalConvKernel {
  /** Channels of a block: few enough that its taps stay in the first-level cache. */
  private static final int BLOCK = 256;

  private final Scratch[] scratch;
  private CausalConvSpec spec;
  private int tokens;
  private Tensor x;
  private Tensor weight;
  private Tensor bias;
  private Tensor state;
  private Tensor out;
  private long xFirst;
  private long outFirst;

  /** Tap-major scratch of one thread: weights [taps, BLOCK] and past inputs [taps - 1, BLOCK]. */
  private static final class Scratch {
    private float[] weights = {};
    private float[] past = {};
    private final float[] line = new float[BLOCK];
    private final float[] sum = new float[BLOCK];
    private final float[] bias = new float[BLOCK];
  }

  /** Runs on these workers. */
  protected CausalConvRows(Parallel workers) {
    super(workers);
    scratch = new Scratch[threads()];
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] = new Scratch();
    }
  }

  @Override
  public final Support supports(CausalConvSpec wanted) {
    return Support.YES;
  }

  @Override
  public final synchronized void run(
      CausalConvSpec wanted,
      Tensor input,
      int firstRow,
      int rows,
      Tensor weights,
      Tensor biases,
      Tensor states,
      Tensor result) {
    TensorChecks.requireCausalConv(wanted, input, firstRow, rows, weights, biases, states, result);
    spec = wanted;
    tokens = rows;
    x = input;
    weight = weights;
    bias = biases;
    state = states;
    out = result;
    long rowBytes = (long) wanted.channels() * Float.BYTES;
    xFirst = x.byteOffset() + firstRow * rowBytes;
    outFirst = out.byteOffset() + firstRow * rowBytes;
    sweep(Math.ceilDiv(wanted.channels(), BLOCK), (long) rows * BLOCK * (wanted.kernelSize() + 1));
    x = null;
    weight = null;
    bias = null;
    state = null;
    out = null;
  }

  @Override
  protected final void range(long from, long to, int worker) {
    for (long block = from; block < to; block++) {
      int first = (int) block * BLOCK;
      block(first, Math.min(BLOCK, spec.channels() - first), scratch[worker]);
    }
  }

  private void block(int first, int count, Scratch s) {
    int taps = spec.kernelSize();
    int past = taps - 1;
    if (s.weights.length < taps * BLOCK) {
      s.weights = new float[taps * BLOCK];
      s.past = new float[past * BLOCK];
    }
    turn(weight, first, count, taps, s.weights);
    if (past > 0) {
      turn(state, first, count, past, s.past);
    }
    Arrays.fill(s.bias, 0);
    if (bias != null) {
      long at = bias.byteOffset() + (long) first * Float.BYTES;
      MemorySegment.copy(HostMemory.of(bias), Tensor.FLOAT, at, s.bias, 0, count);
    }
    MemorySegment input = HostMemory.of(x);
    MemorySegment output = HostMemory.of(out);
    long rowBytes = (long) spec.channels() * Float.BYTES;
    int oldest = 0; // the past is a ring of rows
    for (int t = 0; t < tokens; t++) {
      long at = t * rowBytes + (long) first * Float.BYTES;
      MemorySegment.copy(input, Tensor.FLOAT, xFirst + at, s.line, 0, count);
      System.arraycopy(s.bias, 0, s.sum, 0, count);
      for (int i = 0; i < past; i++) {
        int row = oldest + i < past ? oldest + i : oldest + i - past;
        addProduct(s.sum, s.weights, i * BLOCK, s.past, row * BLOCK, count);
      }
      addProduct(s.sum, s.weights, past * BLOCK, s.line, 0, count);
      MemorySegment.copy(s.sum, 0, output, Tensor.FLOAT, outFirst + at, count);
      if (past > 0) {
        System.arraycopy(s.line, 0, s.past, oldest * BLOCK, count);
        oldest = oldest + 1 == past ? 0 : oldest + 1;
      }
    }
    for (int c = 0; c < count; c++) {
      long at = state == null ? 0 : state.byteOffset() + (long) (first + c) * past * Float.BYTES;
      for (int i = 0; i < past; i++) {
        int row = oldest + i < past ? oldest + i : oldest + i - past;
        HostMemory.of(state)
            .set(Tensor.FLOAT, at + (long) i * Float.BYTES, s.past[row * BLOCK + c]);
      }
    }
  }

  /** Channels of [channels, width] as target[i * BLOCK + c]. */
  private static void turn(Tensor tensor, int first, int count, int width, float[] target) {
    MemorySegment memory = HostMemory.of(tensor);
    for (int c = 0; c < count; c++) {
      long at = tensor.byteOffset() + (long) (first + c) * width * Float.BYTES;
      for (int i = 0; i < width; i++) {
        target[i * BLOCK + c] = memory.get(Tensor.FLOAT, at + (long) i * Float.BYTES);
      }
    }
  }

  /** sum[c] += a[aAt + c] * b[bAt + c] for the first {@code count} elements. */
  protected abstract void addProduct(
      float[] sum, float[] a, int aAt, float[] b, int bAt, int count);
}
