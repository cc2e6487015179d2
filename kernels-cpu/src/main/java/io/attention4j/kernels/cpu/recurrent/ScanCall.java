package io.attention4j.kernels.cpu.recurrent;

import io.attention4j.engine.spi.LinearScanInputs;
import io.attention4j.engine.spi.LinearScanSpec;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.rows.HostMemory;
import java.lang.foreign.MemorySegment;

/** The memory of one run of a scan; offsets count bytes. Reused from run to run. */
public final class ScanCall {
  /** Rows of one input or of the output. */
  public static final class Source {
    private MemorySegment memory;
    private long first;
    private long headBytes;
    private long rowBytes;

    void bind(Tensor tensor, int firstRow, int heads, int dim) {
      memory = tensor == null ? null : HostMemory.of(tensor);
      headBytes = (long) dim * Float.BYTES;
      rowBytes = heads * headBytes;
      first = tensor == null ? 0 : tensor.byteOffset() + firstRow * rowBytes;
    }

    /** All of the tensor's memory. */
    public MemorySegment memory() {
      return memory;
    }

    /** Where a head of a token starts. */
    public long at(int token, int head) {
      return first + token * rowBytes + head * headBytes;
    }

    /** Bytes from a token to the next. */
    public long rowBytes() {
      return rowBytes;
    }

    /** The first element of a head of consecutive tokens. */
    public void gather(int token, int tokens, int head, float[] target) {
      for (int t = 0; t < tokens; t++) {
        target[t] = memory.get(Tensor.FLOAT, at(token + t, head));
      }
    }

    /** Copies a head of a token. */
    public void copy(int token, int head, float[] target, int from) {
      int count = (int) (headBytes / Float.BYTES);
      MemorySegment.copy(memory, Tensor.FLOAT, at(token, head), target, from, count);
    }
  }

  private final Source q = new Source();
  private final Source k = new Source();
  private final Source v = new Source();
  private final Source decay = new Source();
  private final Source beta = new Source();
  private final Source read = new Source();
  private final Source write = new Source();
  private final Source state = new Source();
  private final Source out = new Source();
  private LinearScanSpec spec;
  private int tokens;

  ScanCall() {}

  void bind(
      LinearScanSpec wanted,
      LinearScanInputs in,
      int firstRow,
      int rows,
      Tensor states,
      Tensor result) {
    spec = wanted;
    tokens = rows;
    int heads = spec.stateHeads();
    int keyDim = spec.keyDim();
    q.bind(in.q(), firstRow, spec.queryHeads(), keyDim);
    k.bind(in.k(), firstRow, heads, keyDim);
    v.bind(in.v(), firstRow, heads, spec.valueDim());
    decay.bind(in.decay(), firstRow, heads, spec.decay() == LinearScanSpec.Decay.KEY ? keyDim : 1);
    beta.bind(in.beta(), firstRow, heads, 1);
    read.bind(in.read(), firstRow, heads, keyDim);
    write.bind(in.write(), firstRow, heads, keyDim);
    state.bind(states, 0, heads, keyDim * spec.valueDim());
    out.bind(result, firstRow, spec.queryHeads(), spec.valueDim());
  }

  void clear() {
    for (Source source : new Source[] {q, k, v, decay, beta, read, write, state, out}) {
      source.bind(null, 0, 0, 0);
    }
  }

  /** What is computed. */
  public LinearScanSpec spec() {
    return spec;
  }

  /** Tokens of the run. */
  public int tokens() {
    return tokens;
  }

  /** Queries. */
  public Source q() {
    return q;
  }

  /** Keys. */
  public Source k() {
    return k;
  }

  /** Values. */
  public Source v() {
    return v;
  }

  /** Log-decays; no memory for NONE. */
  public Source decay() {
    return decay;
  }

  /** Write strengths; no memory but for DELTA. */
  public Source beta() {
    return beta;
  }

  /** What the rank-one part recalls with; no memory but for LOW_RANK. */
  public Source read() {
    return read;
  }

  /** Where it writes; no memory but for LOW_RANK. */
  public Source write() {
    return write;
  }

  /** States, as token 0. */
  public Source state() {
    return state;
  }

  /** Outputs. */
  public Source out() {
    return out;
  }
}
