package io.attention4j.engine.recurrent.memory;

/**
 * Moneta of Miras (Behrouz et al. 2025, arXiv 2504.13173): the loss is the p-th power of the
 * p-norm, so the error e = M(k) - v counts as p sign(e) |e|^(p-1), and the trace A is kept bounded
 * by its q-norm, taken over each matrix: W = A / ||A||_q^(q-2). With p = q = 2 the norm drops out.
 *
 * <p>In chunks [R]: the norm is that of the chunk's start until its last token, whose weights, and
 * those of the next chunk's gradients, have their own.
 */
public final class Moneta extends MirasMemory {
  /** How the weights follow from the trace. */
  public enum MirrorMap {
    /** A / ||A||_q^(q-2), as printed. */
    PRINTED,
    /** sign(A) |A|^(q-1) / ||A||_q^(q-2), the gradient of ||A||_q^2 / 2 [R]. */
    EXACT
  }

  /** How sign and absolute value of an error are taken. */
  public enum ErrorSign {
    /** As they are. */
    HARD,
    /** tanh(10 e) and sqrt(e^2 + 1e-6), smooth at 0, for models trained so. */
    SMOOTH
  }

  private static final double SHARPNESS = 10;
  private static final double SQUARED_FLOOR = 1e-6;

  private final double p;
  private final double q;
  private final MirrorMap map;
  private final ErrorSign sign;

  /**
   * A memory of one head.
   *
   * @param chunk tokens per chunk, at least 1
   * @param p power of the loss, at least 1; 3 in the paper
   * @param q norm of the retention, at least 2; 4 in the paper
   */
  public Moneta(
      MemoryNetwork network, int chunk, double p, double q, MirrorMap map, ErrorSign sign) {
    super(network, chunk);
    if (!(p >= 1 && p < Double.POSITIVE_INFINITY) || !(q >= 2 && q < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(
          "Moneta's p of " + p + " must be at least 1 and its q of " + q + " at least 2");
    }
    this.p = p;
    this.q = q;
    this.map = map;
    this.sign = sign;
  }

  @Override
  MemoryState start(double[] initial) {
    for (int m = 0; m < network().depth() && q != 2; m++) {
      if (norm(initial, m) == 0) {
        throw new IllegalArgumentException(
            "matrix "
                + m
                + " of Moneta's initial trace is zero, and the weights divide by its norm; start"
                + " from small random weights");
      }
    }
    MemoryState state = new MemoryState(initial.clone(), initial);
    map(initial, initial, state.weights);
    return state;
  }

  @Override
  void outputGradient(double[] error, MemoryInputs in, int t) {
    for (int i = 0; i < error.length; i++) {
      double e = error[i];
      error[i] =
          switch (sign) {
            case HARD -> p * Math.signum(e) * Math.pow(Math.abs(e), p - 1);
            case SMOOTH ->
                p * Math.tanh(SHARPNESS * e) * Math.pow(Math.sqrt(e * e + SQUARED_FLOOR), p - 1);
          };
    }
  }

  @Override
  void image(double[] trace, int inChunk, MemoryState state) {
    boolean last = inChunk == chunk() - 1;
    map(trace, last ? trace : state.anchorTrace, state.weights);
  }

  /** The weights of a trace, over the norm of another one. */
  private void map(double[] trace, double[] normed, double[] weights) {
    for (int m = 0; m < network().depth(); m++) {
      double divisor = Math.pow(norm(normed, m), q - 2);
      for (int i = network().offset(m); i < network().offset(m + 1); i++) {
        double a = trace[i];
        double image = map == MirrorMap.PRINTED ? a : Math.signum(a) * Math.pow(Math.abs(a), q - 1);
        // A matrix that has decayed to zero is its own image, whatever the order of the limits.
        weights[i] = divisor == 0 ? 0 : image / divisor;
      }
    }
  }

  /** The q-norm over the elements of matrix m, scaled by the largest so that no power overflows. */
  private double norm(double[] values, int m) {
    double largest = 0;
    for (int i = network().offset(m); i < network().offset(m + 1); i++) {
      largest = Math.max(largest, Math.abs(values[i]));
    }
    if (largest == 0) {
      return 0;
    }
    double sum = 0;
    for (int i = network().offset(m); i < network().offset(m + 1); i++) {
      sum += Math.pow(Math.abs(values[i]) / largest, q);
    }
    return largest * Math.pow(sum, 1 / q);
  }
}
