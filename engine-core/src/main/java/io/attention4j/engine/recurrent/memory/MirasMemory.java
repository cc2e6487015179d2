package io.attention4j.engine.recurrent.memory;

import java.util.Arrays;

/**
 * The memories of Miras (Behrouz et al. 2025, arXiv 2504.13173): like {@link Titans} without
 * momentum, but with another loss (attentional bias) and another way of keeping the past (retention
 * gate). All three accumulate gradients in a trace,
 *
 * <pre>
 * A_t = retention_t A_{t-1} - step_t grad loss(W_0; k_t, v_t)     W_0: weights at the chunk's start
 * </pre>
 *
 * <p>of which the weights W are an image. Retention and step are one per head or one per channel of
 * the value: channel c scales row c of the last matrix and column c of the first one of a network
 * of two [R].
 *
 * <p>[R] marks our reconstruction: the paper's text was read through one detailed extraction, and
 * there is no code of the authors.
 */
public abstract sealed class MirasMemory extends OnlineMemory permits Moneta, Yaad, Memora {
  MirasMemory(MemoryNetwork network, int chunk) {
    super(network, chunk);
  }

  /** Makes the error M(k_t) - v_t the loss's gradient by the output, in place. */
  abstract void outputGradient(double[] error, MemoryInputs in, int t);

  /**
   * The weights as the image of a trace, into the state's weights.
   *
   * @param inChunk place of the token in its chunk
   */
  abstract void image(double[] trace, int inChunk, MemoryState state);

  @Override
  void requireGates(MemoryInputs in) {
    int channels = network().depth() <= 2 ? network().valueDim() : 1;
    requireWidth("retention", in.retention(), 1, channels);
    requireWidth("step", in.step(), 1, channels);
    requireGate(getClass().getSimpleName(), "threshold", in, this instanceof Yaad);
  }

  @Override
  void learn(MemoryInputs in, int t, MemoryState state) {
    double[] gradient = gradient(in, t, state);
    double[] kept = spread(in.retention().values(), t, in.retention().width());
    double[] step = spread(in.step().values(), t, in.step().width());
    for (int w = 0; w < gradient.length; w++) {
      state.trace[w] = kept[w] * state.trace[w] - step[w] * gradient[w];
    }
    image(state.trace, state.inChunk, state);
  }

  private double[] gradient(MemoryInputs in, int t, MemoryState state) {
    double[] error = error(state.anchor, in, t);
    outputGradient(error, in, t);
    return network().gradient(state.anchor, row(in.k(), t), error);
  }

  @Override
  void learn(MemoryInputs in, int from, int to, MemoryState state, double[] y) {
    int next = from;
    if (state.inChunk == 0) {
      // The first token may move what the others' gradients are taken at.
      learn(in, next, state);
      answer(state.weights, in.q(), next, y);
      state.inChunk = 1 % chunk();
      next++;
    }
    int size = to - next;
    double[][] gradient = new double[size][];
    for (int i = 0; i < size; i++) {
      gradient[i] = gradient(in, next + i, state);
    }
    double[] before = state.trace.clone();
    for (int i = 0; i < size; i++) {
      // A_i = (product of all retentions) A - sum_m (product of the retentions after m) step_m u_m
      double[] kept = new double[before.length];
      double[] sum = new double[before.length];
      Arrays.fill(kept, 1);
      for (int m = i; m >= 0; m--) {
        double[] step = spread(in.step().values(), next + m, in.step().width());
        double[] retention = spread(in.retention().values(), next + m, in.retention().width());
        for (int w = 0; w < sum.length; w++) {
          sum[w] -= kept[w] * step[w] * gradient[m][w];
          kept[w] *= retention[w];
        }
      }
      for (int w = 0; w < sum.length; w++) {
        state.trace[w] = kept[w] * before[w] + sum[w];
      }
      image(state.trace, state.inChunk, state);
      answer(state.weights, in.q(), next + i, y);
      state.inChunk = (state.inChunk + 1) % chunk();
    }
  }

  /** Row t of a gate as one factor per weight. */
  private double[] spread(double[] values, int t, int width) {
    double[] factors = new double[network().parameters()];
    for (int m = 0; m < network().depth(); m++) {
      boolean last = m == network().depth() - 1;
      int columns = network().columns(m);
      for (int i = network().offset(m); i < network().offset(m + 1); i++) {
        int at = i - network().offset(m);
        factors[i] = values[t * width + (width == 1 ? 0 : last ? at / columns : at % columns)];
      }
    }
    return factors;
  }
}
