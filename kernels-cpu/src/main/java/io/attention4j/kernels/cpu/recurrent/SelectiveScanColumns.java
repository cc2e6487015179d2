package io.attention4j.kernels.cpu.recurrent;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.SelectiveScanInputs;
import io.attention4j.engine.spi.SelectiveScanKernel;
import io.attention4j.engine.spi.SelectiveScanSpec;
import io.attention4j.engine.spi.SelectiveScanSpec.Decay;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.rows.HostMemory;
import io.attention4j.kernels.cpu.rows.RowPieces;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Selective scans by blocks of columns, which do not depend on each other, and chunks of tokens:
 * what a chunk reads is brought to arrays, then each row of the state goes through all its tokens
 * before the next. Rows are summed in their order whatever the chunk, so that every split of a
 * sequence gives the same bits.
 */
public abstract class SelectiveScanColumns extends RowPieces implements SelectiveScanKernel {
  /** Columns of a block. */
  protected static final int BLOCK = 64;

  /** Tokens of a chunk: its four arrays take half of a first-level cache. */
  protected static final int CHUNK = 32;

  /** What one thread works on; arrays of tokens are [CHUNK, BLOCK]. */
  protected static final class Scratch {
    /** The decay: of the logarithm's rate, or the factor. */
    public final float[] decay = new float[CHUNK * BLOCK];

    /** write times x. */
    public final float[] input = new float[CHUNK * BLOCK];

    /** Sums of the outputs. */
    public final float[] out = new float[CHUNK * BLOCK];

    /** One row of the state. */
    public final float[] state = new float[BLOCK];

    /** One row of a. */
    public final float[] a = new float[BLOCK];

    /** One element of b for each token. */
    public final float[] b = new float[CHUNK];

    /** One element of c for each token. */
    public final float[] c = new float[CHUNK];

    private final float[] x = new float[CHUNK * BLOCK];
    private final float[] through = new float[BLOCK];
  }

  private final Scratch[] scratch;
  private SelectiveScanSpec spec;
  private SelectiveScanInputs in;
  private int firstRow;
  private int rows;
  private Tensor state;
  private Tensor out;

  /** Runs on these workers. */
  protected SelectiveScanColumns(Parallel workers) {
    super(workers);
    scratch = new Scratch[threads()];
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] = new Scratch();
    }
  }

  @Override
  public final Support supports(SelectiveScanSpec wanted) {
    return Support.YES;
  }

  @Override
  public final synchronized void run(
      SelectiveScanSpec wanted,
      SelectiveScanInputs inputs,
      int first,
      int count,
      Tensor states,
      Tensor result) {
    TensorChecks.requireSelectiveScan(wanted, inputs, first, count, states, result);
    spec = wanted;
    in = inputs;
    firstRow = first;
    rows = count;
    state = states;
    out = result;
    long blocks = (long) spec.heads() * Math.ceilDiv(spec.channels(), BLOCK);
    sweep(blocks, (long) rows * spec.stateDim() * BLOCK);
    in = null;
    state = null;
    out = null;
  }

  @Override
  protected final void range(long from, long to, int worker) {
    int perHead = Math.ceilDiv(spec.channels(), BLOCK);
    for (long item = from; item < to; item++) {
      int column = (int) (item % perHead) * BLOCK;
      int count = Math.min(BLOCK, spec.channels() - column);
      for (int first = 0; first < rows; first += CHUNK) {
        int tokens = Math.min(CHUNK, rows - first);
        chunk((int) (item / perHead), column, count, first, tokens, scratch[worker]);
      }
    }
  }

  private void chunk(int head, int column, int count, int first, int tokens, Scratch s) {
    load(in.decay(), head, column, count, first, tokens, s.decay);
    load(in.x(), head, column, count, first, tokens, s.x);
    load(in.write(), head, column, count, first, tokens, s.input);
    for (int t = 0; t < tokens; t++) {
      for (int j = t * BLOCK; j < t * BLOCK + count; j++) {
        s.input[j] *= s.x[j];
      }
      Arrays.fill(s.out, t * BLOCK, t * BLOCK + count, 0);
    }
    MemorySegment states = HostMemory.of(state);
    for (int n = 0; n < spec.stateDim(); n++) {
      long element = ((long) head * spec.stateDim() + n) * spec.channels() + column;
      long at = state.byteOffset() + element * Float.BYTES;
      MemorySegment.copy(states, Tensor.FLOAT, at, s.state, 0, count);
      loadVector(in.b(), head, n, first, tokens, s.b);
      loadVector(in.c(), head, n, first, tokens, s.c);
      if (spec.decay() == Decay.EXPONENTIAL) {
        long rates = in.a().byteOffset() + element * Float.BYTES;
        MemorySegment.copy(HostMemory.of(in.a()), Tensor.FLOAT, rates, s.a, 0, count);
        exponential(tokens, count, s);
      } else {
        factor(tokens, count, s);
      }
      MemorySegment.copy(s.state, 0, states, Tensor.FLOAT, at, count);
    }
    store(head, column, count, first, tokens, s);
  }

  private void load(
      Tensor tensor, int head, int column, int count, int first, int tokens, float[] target) {
    MemorySegment memory = HostMemory.of(tensor);
    for (int t = 0; t < tokens; t++) {
      long at = tensor.byteOffset() + at(first + t, head, column);
      MemorySegment.copy(memory, Tensor.FLOAT, at, target, t * BLOCK, count);
    }
  }

  private long at(int token, int head, int column) {
    long row = (firstRow + (long) token) * spec.heads() + head;
    return (row * spec.channels() + column) * Float.BYTES;
  }

  private void loadVector(Tensor tensor, int head, int n, int first, int tokens, float[] target) {
    if (tensor == null) {
      Arrays.fill(target, 0, tokens, 1);
      return;
    }
    MemorySegment memory = HostMemory.of(tensor);
    long at = (((long) firstRow + first) * spec.heads() + head) * spec.stateDim() + n;
    long step = (long) spec.heads() * spec.stateDim();
    for (int t = 0; t < tokens; t++) {
      target[t] = memory.get(Tensor.FLOAT, tensor.byteOffset() + (at + t * step) * Float.BYTES);
    }
  }

  private void store(int head, int column, int count, int first, int tokens, Scratch s) {
    MemorySegment memory = HostMemory.of(out);
    if (in.through() != null) {
      long at = in.through().byteOffset();
      at += ((long) head * spec.channels() + column) * Float.BYTES;
      MemorySegment.copy(HostMemory.of(in.through()), Tensor.FLOAT, at, s.through, 0, count);
    }
    for (int t = 0; t < tokens; t++) {
      if (in.through() != null) {
        for (int j = 0; j < count; j++) {
          s.out[t * BLOCK + j] += s.through[j] * s.x[t * BLOCK + j];
        }
      }
      long at = out.byteOffset() + at(first + t, head, column);
      MemorySegment.copy(s.out, t * BLOCK, memory, Tensor.FLOAT, at, count);
    }
  }

  /** Takes the tokens of a chunk into a row of the state, decaying by e^(decay a); adds to out. */
  protected abstract void exponential(int tokens, int count, Scratch s);

  /** The same, decaying by the decay itself. */
  protected abstract void factor(int tokens, int count, Scratch s);
}
