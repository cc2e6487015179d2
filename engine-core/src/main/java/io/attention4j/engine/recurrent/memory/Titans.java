package io.attention4j.engine.recurrent.memory;

/**
 * The neural memory of Titans (Behrouz et al. 2024, arXiv 2501.00663, section 3): on the loss
 * ||M(k_t) - v_t||^2, with momentum and forgetting,
 *
 * <pre>
 * S_t = momentum_t S_{t-1} - step_t grad loss(M_0; k_t, v_t)      M_0: weights at the chunk's start
 * M_t = retention_t M_{t-1} + S_t                                 retention = 1 - alpha of the paper
 * y_t = M_t(q_t)
 * </pre>
 *
 * <p>The gradient of a linear memory is 2 (M k - v) k^T; the forgetting does not act on the M that
 * it is taken at, other than in Gated DeltaNet. Models whose loss is the mean over the value's
 * elements have their steps divided by valueDim. With a linear memory, a chunk of 1, no momentum,
 * retention 1 and 2 step = beta this is DeltaNet, transposed.
 *
 * <p>In a chunk, with u_i the gradients at M_0 and products of factors up to t,
 *
 * <pre>
 * M_t = beta_t M + f_t S - sum_i g_ti step_i u_i
 * beta_t = retention_t beta_{t-1},  f_t = retention_t f_{t-1} + m_t,  m_t = momentum_t m_{t-1}
 * g_ti = retention_t g_{t-1,i} + m_ti,  m_ti = momentum_t m_{t-1,i},  m_ii = 1
 * </pre>
 */
public final class Titans extends OnlineMemory {
  /**
   * A memory of one head.
   *
   * @param chunk tokens whose gradients are taken at the same weights, at least 1
   */
  public Titans(MemoryNetwork network, int chunk) {
    super(network, chunk);
  }

  @Override
  MemoryState start(double[] initial) {
    return new MemoryState(initial, new double[initial.length]);
  }

  @Override
  void requireGates(MemoryInputs in) {
    requireWidth("retention", in.retention(), 1);
    requireWidth("step", in.step(), 1);
    requireGate("titans", "momentum", in, true);
  }

  private double[] outputGradient(MemoryInputs in, int t, MemoryState state) {
    double[] error = error(state.anchor, in, t);
    for (int i = 0; i < error.length; i++) {
      error[i] *= 2;
    }
    return error;
  }

  @Override
  void learn(MemoryInputs in, int t, MemoryState state) {
    double[] gradient =
        network().gradient(state.anchor, row(in.k(), t), outputGradient(in, t, state));
    for (int i = 0; i < gradient.length; i++) {
      state.trace[i] = in.gate().at(t, 0) * state.trace[i] - in.step().at(t, 0) * gradient[i];
      state.weights[i] = in.retention().at(t, 0) * state.weights[i] + state.trace[i];
    }
  }

  @Override
  void learn(MemoryInputs in, int from, int to, MemoryState state, double[] y) {
    Chunk part = new Chunk(in, from, to - from, state);
    boolean linear = network().depth() == 1 && !network().residual();
    for (int i = 0; i < part.size; i++) {
      part.advance(i);
      if (linear) {
        part.answerLinear(i, y);
      } else {
        answer(part.sum(i, part.beta, part.f, part.g), in.q(), from + i, y);
      }
    }
    double[] weights = part.sum(part.size - 1, part.beta, part.f, part.g);
    double[] trace = part.sum(part.size - 1, 0, part.momentum, part.m);
    System.arraycopy(weights, 0, state.weights, 0, weights.length);
    System.arraycopy(trace, 0, state.trace, 0, trace.length);
    state.inChunk = (state.inChunk + part.size) % chunk();
  }

  /** Tokens of one chunk: their gradients, and the factors of the closed form, by scans. */
  private final class Chunk {
    final MemoryInputs in;
    final int from;
    final int size;
    final MemoryState state;
    final double[][] error;
    final double[][] gradient;
    final double[] m;
    final double[] g;
    double beta = 1;
    double momentum = 1;
    double f;

    Chunk(MemoryInputs in, int from, int size, MemoryState state) {
      this.in = in;
      this.from = from;
      this.size = size;
      this.state = state;
      error = new double[size][];
      gradient = new double[size][];
      for (int i = 0; i < size; i++) {
        error[i] = outputGradient(in, from + i, state);
        gradient[i] = network().gradient(state.anchor, row(in.k(), from + i), error[i]);
      }
      m = new double[size];
      g = new double[size];
    }

    /** The factors of token i from those of the token before. */
    void advance(int i) {
      double retention = in.retention().at(from + i, 0);
      double gate = in.gate().at(from + i, 0);
      beta *= retention;
      momentum *= gate;
      f = retention * f + momentum;
      for (int past = 0; past < i; past++) {
        m[past] *= gate;
        g[past] = retention * g[past] + m[past];
      }
      m[i] = 1;
      g[i] = 1;
    }

    /** ofWeights M + ofTrace S - the sum over tokens 0..last of factor_i step_i u_i. */
    double[] sum(int last, double ofWeights, double ofTrace, double[] factor) {
      double[] sum = new double[state.weights.length];
      for (int w = 0; w < sum.length; w++) {
        sum[w] = ofWeights * state.weights[w] + ofTrace * state.trace[w];
      }
      for (int i = 0; i <= last; i++) {
        double scale = factor[i] * in.step().at(from + i, 0);
        for (int w = 0; w < sum.length; w++) {
          sum[w] -= scale * gradient[i][w];
        }
      }
      return sum;
    }

    /** beta M q + f S q - sum_i g_i step_i (k_i^T q) error_i: no token's weights are formed. */
    void answerLinear(int last, double[] y) {
      double[] q = row(in.q(), from + last);
      double[] ofWeights = network().read(state.weights, q);
      double[] ofTrace = network().read(state.trace, q);
      int width = ofWeights.length;
      int at = (from + last) * width;
      for (int j = 0; j < width; j++) {
        y[at + j] = beta * ofWeights[j] + f * ofTrace[j];
      }
      for (int i = 0; i <= last; i++) {
        double score = 0;
        for (int d = 0; d < q.length; d++) {
          score += in.k().at(from + i, d) * q[d];
        }
        score *= g[i] * in.step().at(from + i, 0);
        for (int j = 0; j < width; j++) {
          y[at + j] -= score * error[i][j];
        }
      }
    }
  }
}
