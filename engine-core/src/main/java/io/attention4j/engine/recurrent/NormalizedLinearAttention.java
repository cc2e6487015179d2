package io.attention4j.engine.recurrent;

import java.util.Arrays;

/**
 * Linear attention whose weights sum to one (Katharopoulos et al. 2020, arXiv 2006.16236): y_t =
 * phi(q_t)^T S_t / eta_t, S += psi(k) v^T, z += psi(k), eta_t = phi(q_t)^T z_t.
 *
 * <p>z is the column of S that a value of 1 writes, so the operator is {@link LinearAttention} with
 * one more column and a division; {@link #ratioSystem} is the same map with Lambda_t = eta_{t-1} /
 * eta_t, as the Dynamical Systems Framework writes it.
 */
public final class NormalizedLinearAttention {
  private NormalizedLinearAttention() {}

  /**
   * The system of one head with z as its last column; {@link #normalize} ends the computation.
   *
   * @param q phi of the queries, [tokens, features]
   * @param k psi of the keys, [tokens, features]
   * @param v [tokens, valueDim]
   */
  public static DynamicalSystem system(Rows q, Rows k, Rows v) {
    double[] values = new double[v.tokens() * (v.width() + 1)];
    Arrays.fill(values, 1);
    for (int t = 0; t < v.tokens(); t++) {
      System.arraycopy(v.values(), t * v.width(), values, t * (v.width() + 1), v.width());
    }
    return LinearAttention.system(q, k, new Rows(values, v.width() + 1), 1);
  }

  /**
   * The outputs of {@link #system}, divided: [tokens, valueDim].
   *
   * @param epsilon added to eta; 0, or 1e-12 in Based
   */
  public static Rows normalize(Rows outputs, double epsilon) {
    int width = outputs.width() - 1;
    double[] y = new double[outputs.tokens() * width];
    for (int i = 0; i < y.length; i++) {
      int t = i / width;
      y[i] = outputs.at(t, i % width) / (outputs.at(t, width) + epsilon);
    }
    return new Rows(y, width);
  }

  /**
   * The ratio form: Lambda_t = eta_{t-1} / eta_t (0 at the first token), B_t = psi(k_t) / eta_t,
   * C_t = phi(q_t). Starts at the first token of a sequence, because eta belongs to its whole past.
   *
   * @param q phi of the queries, [tokens, features]
   * @param k psi of the keys, [tokens, features]; every eta must differ from 0
   * @param v [tokens, valueDim]
   */
  public static DynamicalSystem ratioSystem(Rows q, Rows k, Rows v) {
    double[] sumOfKeys = new double[k.width()];
    double[] ratio = new double[k.tokens()];
    double[] inverse = new double[k.tokens()];
    double before = 0;
    for (int t = 0; t < k.tokens(); t++) {
      double eta = 0;
      for (int i = 0; i < sumOfKeys.length; i++) {
        sumOfKeys[i] += k.at(t, i);
        eta += q.at(t, i) * sumOfKeys[i];
      }
      ratio[t] = before / eta;
      inverse[t] = 1 / eta;
      before = eta;
    }
    return new DynamicalSystem(
        k.width(),
        Coefficient.perRow(new Rows(ratio, 1)),
        null,
        Coefficient.perRow(k.times(new Rows(inverse, 1))),
        v,
        Coefficient.perRow(q),
        null);
  }

  /** The feature map elu(x) + 1: x + 1 above 0, else e^x; always positive. */
  public static Rows eluPlusOne(Rows x) {
    return x.map(value -> value > 0 ? value + 1 : Math.exp(value));
  }
}
