package io.attention4j.engine.recurrent.memory;

/**
 * Memora of Miras (Behrouz et al. 2025, arXiv 2504.13173): the squared loss, and weights that are
 * distributions, kept near the last ones in the Kullback-Leibler sense: each row of each matrix is
 * W_t = softmax(retention_t ln W_{t-1} - step_t grad). The trace is ln W, never W, so nothing
 * underflows for good. With retention 1 this is the exponentiated gradient.
 *
 * <p>In chunks [R]: the first token takes the exact step, at the weights of the chunk before. The
 * others' gradients are taken at its weights, their logits add up linearly, and they read the
 * weights that the softmax's derivative there gives, whose rows also sum to 1; the chunk's last
 * token has the exact softmax again.
 */
public final class Memora extends MirasMemory {
  /** How far a row of the initial weights may be from a sum of 1: their own rounding in f32. */
  private static final double SUM_ERROR = 1e-5;

  /**
   * A memory of one head.
   *
   * @param chunk tokens per chunk, at least 1
   */
  public Memora(MemoryNetwork network, int chunk) {
    super(network, chunk);
  }

  @Override
  MemoryState start(double[] initial) {
    double[] logits = new double[initial.length];
    for (int i = 0; i < initial.length; i++) {
      if (!(initial[i] > 0)) {
        throw new IllegalArgumentException(
            "Memora's initial weights must be positive, not "
                + initial[i]
                + "; use a softmax over each row, or 1 / columns");
      }
      logits[i] = Math.log(initial[i]);
    }
    for (int m = 0; m < network().depth(); m++) {
      for (int r = 0; r < network().rows(m); r++) {
        double sum = 0;
        int from = network().offset(m) + r * network().columns(m);
        for (int c = 0; c < network().columns(m); c++) {
          sum += initial[from + c];
        }
        if (Math.abs(sum - 1) > SUM_ERROR) {
          throw new IllegalArgumentException(
              "row "
                  + r
                  + " of matrix "
                  + m
                  + " of Memora's initial weights sums to "
                  + sum
                  + ", not to 1; use a softmax over each row, or 1 / columns");
        }
      }
    }
    MemoryState state = new MemoryState(initial, logits);
    softmax(state.trace, state.weights);
    return state;
  }

  @Override
  void outputGradient(double[] error, MemoryInputs in, int t) {
    for (int i = 0; i < error.length; i++) {
      error[i] *= 2;
    }
  }

  @Override
  void image(double[] trace, int inChunk, MemoryState state) {
    if (inChunk == 0 || inChunk == chunk() - 1) {
      softmax(trace, state.weights);
      if (inChunk == 0) {
        state.startChunk();
      }
      return;
    }
    for (int m = 0; m < network().depth(); m++) {
      for (int r = 0; r < network().rows(m); r++) {
        int from = network().offset(m) + r * network().columns(m);
        tangent(trace, from, from + network().columns(m), state);
      }
    }
  }

  /** W_0 + W_0 * (dz - mean of dz under W_0), a row of the softmax's derivative at the anchor. */
  private static void tangent(double[] trace, int from, int to, MemoryState state) {
    double mean = 0;
    for (int i = from; i < to; i++) {
      mean += state.anchor[i] * (trace[i] - state.anchorTrace[i]);
    }
    for (int i = from; i < to; i++) {
      state.weights[i] = state.anchor[i] * (1 + trace[i] - state.anchorTrace[i] - mean);
    }
  }

  /** Makes every row of the logits the logarithms of a distribution, the weights. */
  private void softmax(double[] logits, double[] weights) {
    for (int m = 0; m < network().depth(); m++) {
      int columns = network().columns(m);
      for (int r = 0; r < network().rows(m); r++) {
        int from = network().offset(m) + r * columns;
        double max = Double.NEGATIVE_INFINITY;
        for (int i = from; i < from + columns; i++) {
          max = Math.max(max, logits[i]);
        }
        double sum = 0;
        for (int i = from; i < from + columns; i++) {
          sum += Math.exp(logits[i] - max);
        }
        double logSum = max + Math.log(sum);
        for (int i = from; i < from + columns; i++) {
          logits[i] -= logSum;
          weights[i] = Math.exp(logits[i]);
        }
      }
    }
  }
}
