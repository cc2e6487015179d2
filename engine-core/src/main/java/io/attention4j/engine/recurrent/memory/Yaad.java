package io.attention4j.engine.recurrent.memory;

/**
 * Yaad of Miras (Behrouz et al. 2025, arXiv 2504.13173): a Huber loss, whose pull is bounded for
 * outliers, and the weights as their own trace, W_t = retention_t W_{t-1} - step_t grad loss. The
 * error e = M(k) - v counts as 2 e up to the threshold. With an unbounded threshold and p = q = 2
 * of {@link Moneta} both are the same.
 */
public final class Yaad extends MirasMemory {
  /** What the output's gradient is where the error exceeds the threshold. */
  public enum Outlier {
    /** ||e|| above threshold: threshold sign(e), as printed; it jumps at the threshold. */
    SIGN,
    /** ||e|| above threshold: 2 threshold e / ||e||, continuous [R]. */
    DIRECTION,
    /** Each element alone: 2 e_i cut at 2 threshold, continuous [R]. */
    ELEMENT
  }

  private final Outlier outlier;

  /**
   * A memory of one head.
   *
   * @param chunk tokens whose gradients are taken at the same weights, at least 1
   */
  public Yaad(MemoryNetwork network, int chunk, Outlier outlier) {
    super(network, chunk);
    this.outlier = outlier;
  }

  @Override
  MemoryState start(double[] initial) {
    return new MemoryState(initial, initial.clone());
  }

  @Override
  void outputGradient(double[] error, MemoryInputs in, int t) {
    double threshold = in.gate().at(t, 0);
    double squares = 0;
    for (double e : error) {
      squares += e * e;
    }
    double norm = Math.sqrt(squares);
    for (int i = 0; i < error.length; i++) {
      double e = error[i];
      error[i] =
          switch (outlier) {
            case SIGN -> norm <= threshold ? 2 * e : threshold * Math.signum(e);
            case DIRECTION -> norm <= threshold ? 2 * e : 2 * threshold * e / norm;
            case ELEMENT -> 2 * Math.clamp(e, -threshold, threshold);
          };
    }
  }

  @Override
  void image(double[] trace, int inChunk, MemoryState state) {
    System.arraycopy(trace, 0, state.weights, 0, trace.length);
  }
}
