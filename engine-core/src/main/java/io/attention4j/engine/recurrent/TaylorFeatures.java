package io.attention4j.engine.recurrent;

/**
 * The feature map of Based (Arora et al. 2024, arXiv 2402.18668): the exponential's Taylor series
 * to second order, phi(q)^T phi(k) = 1 + z + z^2 / 2 with z = q^T k / sqrt(dim), which is at least
 * 1/2. The operator is {@link NormalizedLinearAttention} on these features.
 */
public final class TaylorFeatures {
  private TaylorFeatures() {}

  /** phi as it is defined: 1 + dim + dim^2 features. */
  public static Rows full(Rows x) {
    int dim = x.width();
    int features = 1 + dim + dim * dim;
    double[] phi = new double[x.tokens() * features];
    for (int t = 0; t < x.tokens(); t++) {
      int at = first(phi, x, t, features);
      for (int i = 0; i < dim; i++) {
        for (int j = 0; j < dim; j++) {
          phi[at++] = x.at(t, i) * x.at(t, j) / Math.sqrt(2.0 * dim);
        }
      }
    }
    return new Rows(phi, features);
  }

  /**
   * The same inner products with 1 + dim + dim (dim + 1) / 2 features: each pair of different
   * indices once, so without the factor 1 / sqrt(2).
   */
  public static Rows compact(Rows x) {
    int dim = x.width();
    int features = 1 + dim + dim * (dim + 1) / 2;
    double[] phi = new double[x.tokens() * features];
    for (int t = 0; t < x.tokens(); t++) {
      int at = first(phi, x, t, features);
      for (int i = 0; i < dim; i++) {
        for (int j = 0; j < i; j++) {
          phi[at++] = x.at(t, i) * x.at(t, j) / Math.sqrt(dim);
        }
        phi[at++] = x.at(t, i) * x.at(t, i) / Math.sqrt(2.0 * dim);
      }
    }
    return new Rows(phi, features);
  }

  /** Writes the orders 0 and 1; returns where order 2 starts. */
  private static int first(double[] phi, Rows x, int t, int features) {
    int at = t * features;
    phi[at++] = 1;
    for (int i = 0; i < x.width(); i++) {
      phi[at++] = x.at(t, i) / Math.sqrt(Math.sqrt(x.width()));
    }
    return at;
  }
}
