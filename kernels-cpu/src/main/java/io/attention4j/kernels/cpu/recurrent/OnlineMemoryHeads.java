package io.attention4j.kernels.cpu.recurrent;

import io.attention4j.engine.recurrent.memory.MemoryNetwork;
import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.OnlineMemoryInputs;
import io.attention4j.engine.spi.OnlineMemoryKernel;
import io.attention4j.engine.spi.OnlineMemorySpec;
import io.attention4j.engine.spi.OnlineMemorySpec.Rule;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.rows.HostMemory;
import io.attention4j.kernels.cpu.rows.RowPieces;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Memories head by head, token by token: the gradient at the chunk's start, the step, the answer. A
 * subclass computes on rows of matrices, which lie in native memory; sums over a layer's few
 * hundred elements are in float64.
 */
public abstract class OnlineMemoryHeads extends RowPieces implements OnlineMemoryKernel {
  private static final int WEIGHTS = 0;
  private static final int TRACE = 1;
  private static final int ANCHOR = 2;
  private static final int ANCHOR_TRACE = 3;

  private final MemoryScratch[] scratch;
  private OnlineMemorySpec spec;
  private OnlineMemoryInputs in;
  private Tensor q;
  private Tensor state;
  private MemorySegment memory;
  private Tensor out;
  private int firstRow;
  private int rows;
  private int place;

  /** Runs on these workers. */
  protected OnlineMemoryHeads(Parallel workers) {
    super(workers);
    scratch = new MemoryScratch[threads()];
  }

  @Override
  public final Support supports(OnlineMemorySpec wanted) {
    return Support.YES;
  }

  @Override
  public final synchronized void run(
      OnlineMemorySpec wanted,
      OnlineMemoryInputs inputs,
      int first,
      int count,
      int inChunk,
      Tensor states,
      Tensor result) {
    TensorChecks.requireOnlineMemory(wanted, inputs, first, count, inChunk, states, result);
    in = inputs;
    place = inChunk;
    go(wanted, inputs.q(), first, count, states, result);
    in = null;
  }

  @Override
  public final synchronized void read(
      OnlineMemorySpec wanted, Tensor asked, int first, int count, Tensor states, Tensor result) {
    TensorChecks.requireOnlineMemoryRead(wanted, asked, first, count, states, result);
    go(wanted, asked, first, count, states, result);
  }

  private void go(
      OnlineMemorySpec wanted, Tensor asked, int first, int count, Tensor states, Tensor result) {
    spec = wanted;
    q = asked;
    state = states;
    memory = HostMemory.of(states);
    out = result;
    firstRow = first;
    rows = count;
    sweep(spec.heads(), 6L * count * spec.network().parameters(), 1);
    q = null;
    state = null;
    memory = null;
    out = null;
  }

  @Override
  protected final void range(long from, long to, int worker) {
    MemoryScratch s = scratch[worker];
    if (s == null || !s.fits(spec)) {
      s = new MemoryScratch(spec);
      scratch[worker] = s;
    }
    for (int h = (int) from; h < to; h++) {
      int inChunk = place;
      for (int t = firstRow; t < firstRow + rows; t++) {
        if (in != null) {
          if (inChunk == 0) {
            copyHead(WEIGHTS, ANCHOR, h);
            copyHead(TRACE, ANCHOR_TRACE, h);
          }
          learn(s, t, h, inChunk);
          inChunk = inChunk + 1 == spec.chunk() ? 0 : inChunk + 1;
        }
        load(q, t, h, s.in[0]);
        forward(s, WEIGHTS, h);
        MemorySegment.copy(
            s.in[s.network.depth()],
            0,
            HostMemory.of(out),
            Tensor.FLOAT,
            at(out, t, h, s.value.length),
            s.value.length);
      }
    }
  }

  private long at(Tensor tensor, int row, int head, int width) {
    return tensor.byteOffset() + ((long) row * spec.heads() + head) * width * Float.BYTES;
  }

  private long at(int array, int head, int element) {
    long parameters = spec.network().parameters();
    long matrix = (long) array * spec.heads() + head;
    return state.byteOffset() + (matrix * parameters + element) * Float.BYTES;
  }

  private void load(Tensor tensor, int row, int head, float[] target) {
    long from = at(tensor, row, head, target.length);
    MemorySegment.copy(HostMemory.of(tensor), Tensor.FLOAT, from, target, 0, target.length);
  }

  private void copyHead(int from, int to, int h) {
    long bytes = (long) spec.network().parameters() * Float.BYTES;
    MemorySegment.copy(memory, at(from, h, 0), memory, at(to, h, 0), bytes);
  }

  /** M of in[0] into the last of in; returns what the layer norm divided by. */
  private double forward(MemoryScratch s, int matrices, int h) {
    MemoryNetwork network = s.network;
    int depth = network.depth();
    for (int m = 0; m < depth; m++) {
      long from = at(matrices, h, network.offset(m));
      product(memory, from, s.in[m], s.sum[m], network.rows(m), network.columns(m));
      if (m + 1 < depth) {
        gelu(s.sum[m], s.in[m + 1], s.slope[m], network.rows(m));
      }
    }
    float[] y = s.in[depth];
    System.arraycopy(s.sum[depth - 1], 0, y, 0, y.length);
    if (!network.residual()) {
      return 1;
    }
    double deviation = normalize(y);
    for (int i = 0; i < y.length; i++) {
      y[i] += s.in[0][i];
    }
    return deviation;
  }

  private static double normalize(float[] x) {
    double mean = 0;
    for (float value : x) {
      mean += value;
    }
    mean /= x.length;
    double squares = 0;
    for (float value : x) {
      squares += (value - mean) * (value - mean);
    }
    double deviation = Math.sqrt(squares / x.length + MemoryNetwork.EPSILON);
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) ((x[i] - mean) / deviation);
    }
    return deviation;
  }

  private void learn(MemoryScratch s, int t, int h, int inChunk) {
    MemoryNetwork network = s.network;
    int depth = network.depth();
    load(in.k(), t, h, s.in[0]);
    load(in.v(), t, h, s.value);
    load(in.retention(), t, h, s.retention);
    load(in.step(), t, h, s.step);
    float gate =
        spec.gated() ? HostMemory.of(in.gate()).get(Tensor.FLOAT, at(in.gate(), t, h, 1)) : 0;
    double deviation = forward(s, ANCHOR, h);
    float[] error = s.delta[depth - 1];
    for (int i = 0; i < error.length; i++) {
      error[i] = s.in[depth][i] - s.value[i];
    }
    outputGradient(error, gate);
    if (network.residual()) {
      throughNorm(s, error, deviation);
    }
    for (int m = depth - 1; m > 0; m--) {
      float[] back = s.delta[m - 1];
      Arrays.fill(back, 0);
      long from = at(ANCHOR, h, network.offset(m));
      addTransposed(memory, from, s.delta[m], back, network.rows(m), network.columns(m));
      for (int i = 0; i < back.length; i++) {
        back[i] *= s.slope[m - 1][i];
      }
    }
    for (int m = 0; m < depth; m++) {
      update(s, m, h, gate);
    }
    image(s, h, inChunk);
  }

  /** The error M(k) - v as the loss's gradient by the output. */
  private void outputGradient(float[] error, float threshold) {
    double squares = 0;
    for (float e : error) {
      squares += (double) e * e;
    }
    boolean outlier = spec.rule() == Rule.YAAD && Math.sqrt(squares) > threshold;
    for (int i = 0; i < error.length; i++) {
      float e = error[i];
      error[i] =
          switch (spec.rule()) {
            case MONETA -> 3 * e * Math.abs(e);
            case YAAD -> outlier ? threshold * Math.signum(e) : 2 * e;
            case TITANS, MEMORA -> 2 * e;
          };
    }
  }

  /** (e - mean(e) - n mean(n e)) / deviation with n the normed output, which is y - x. */
  private static void throughNorm(MemoryScratch s, float[] error, double deviation) {
    float[] y = s.in[s.network.depth()];
    double mean = 0;
    double along = 0;
    for (int i = 0; i < error.length; i++) {
      mean += error[i];
      along += (double) error[i] * (y[i] - s.in[0][i]);
    }
    mean /= error.length;
    along /= error.length;
    for (int i = 0; i < error.length; i++) {
      error[i] = (float) ((error[i] - mean - (y[i] - s.in[0][i]) * along) / deviation);
    }
  }

  private void update(MemoryScratch s, int m, int h, float gate) {
    MemoryNetwork network = s.network;
    int columns = network.columns(m);
    long row = (long) columns * Float.BYTES;
    long traces = at(TRACE, h, network.offset(m));
    if (spec.rule() == Rule.TITANS) {
      long from = at(WEIGHTS, h, network.offset(m));
      for (int r = 0; r < network.rows(m); r++) {
        momentum(
            memory,
            traces + r * row,
            from + r * row,
            s.in[m],
            gate,
            -s.step[0] * s.delta[m][r],
            s.retention[0],
            columns);
      }
      return;
    }
    boolean last = m == network.depth() - 1;
    for (int r = 0; r < network.rows(m); r++) {
      float delta = -s.delta[m][r];
      if (last) {
        float step = s.step[r] * delta;
        decay(memory, traces + r * row, s.in[m], s.ones, s.ones, s.retention[r], step, columns);
      } else {
        decay(memory, traces + r * row, s.in[m], s.retention, s.step, 1, delta, columns);
      }
    }
  }

  /** The weights of the trace. */
  private void image(MemoryScratch s, int h, int inChunk) {
    boolean end = inChunk == spec.chunk() - 1;
    switch (spec.rule()) {
      case TITANS -> {}
      case YAAD -> copyHead(TRACE, WEIGHTS, h);
      case MONETA -> {
        for (int m = 0; m < s.network.depth(); m++) {
          int from = s.network.offset(m);
          int count = s.network.offset(m + 1) - from;
          int normed = end ? TRACE : ANCHOR_TRACE;
          double square = squaredNorm(memory, at(normed, h, from), count);
          float factor = square == 0 ? 0 : (float) (1 / square);
          scaled(memory, at(TRACE, h, from), at(WEIGHTS, h, from), factor, count);
        }
      }
      case MEMORA -> {
        boolean exact = inChunk == 0 || end;
        for (int m = 0; m < s.network.depth(); m++) {
          for (int r = 0; r < s.network.rows(m); r++) {
            distribution(
                h, s.network.offset(m) + r * s.network.columns(m), s.network.columns(m), exact);
          }
        }
        if (inChunk == 0) {
          copyHead(WEIGHTS, ANCHOR, h);
          copyHead(TRACE, ANCHOR_TRACE, h);
        }
      }
    }
  }

  /** A row of Memora: the softmax of its logits, or the softmax's derivative at the anchor. */
  private void distribution(int h, int from, int count, boolean exact) {
    long logits = at(TRACE, h, from);
    long weights = at(WEIGHTS, h, from);
    if (exact) {
      softmax(memory, logits, weights, count);
    } else {
      tangent(memory, logits, at(ANCHOR_TRACE, h, from), at(ANCHOR, h, from), weights, count);
    }
  }

  /** The square of the 4-norm, scaled by the largest element so that no power underflows. */
  private double squaredNorm(MemorySegment memory, long at, int count) {
    float largest = largest(memory, at, count);
    if (largest == 0) {
      return 0;
    }
    return (double) largest * largest * Math.sqrt(fourthPowers(memory, at, 1 / largest, count));
  }

  /** The largest absolute value. */
  protected abstract float largest(MemorySegment memory, long at, int count);

  /** The sum of (scale x)^4. */
  protected abstract double fourthPowers(MemorySegment memory, long at, float scale, int count);

  /** The numbers at {@code to} = factor times those at {@code from}. */
  protected abstract void scaled(MemorySegment memory, long from, long to, float factor, int count);

  /** Makes logits the logarithms of a distribution, the weights. */
  protected abstract void softmax(MemorySegment memory, long logits, long weights, int count);

  /** w = w0 (1 + (z - z0) - mean of z - z0 under w0); z and so on are where they begin. */
  protected abstract void tangent(
      MemorySegment memory, long z, long z0, long w0, long w, int count);

  /** y = W x for W [rows, columns]. */
  protected abstract void product(
      MemorySegment w, long at, float[] x, float[] y, int rows, int columns);

  /** y += W^T x for W [rows, columns]. */
  protected abstract void addTransposed(
      MemorySegment w, long at, float[] x, float[] y, int rows, int columns);

  /** GELU and its derivative. */
  protected abstract void gelu(float[] x, float[] y, float[] slope, int count);

  /** A row of Titans: s = momentum s + factor x, w = retention w + s, where s and w begin. */
  protected abstract void momentum(
      MemorySegment memory,
      long s,
      long w,
      float[] x,
      float momentum,
      float factor,
      float retention,
      int count);

  /** A row of Miras: a = kept retention a + factor step x. */
  protected abstract void decay(
      MemorySegment a,
      long at,
      float[] x,
      float[] retention,
      float[] step,
      float kept,
      float factor,
      int count);
}
