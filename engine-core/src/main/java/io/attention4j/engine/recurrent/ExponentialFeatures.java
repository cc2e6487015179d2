package io.attention4j.engine.recurrent;

/**
 * The exponential's Taylor series as a feature map (arXiv 2405.15731, section 4.1): all products of
 * up to {@code order} elements, phi(q)^T phi(k) = sum_{p &lt;= order} z^p / p! with z = q^T k /
 * sqrt(dim). Softmax attention is {@link NormalizedLinearAttention} in the limit of infinitely many
 * of them; a score is off by at most |z|^(order + 1) / (order + 1)! e^|z|. Order 2 is {@link
 * TaylorFeatures}. An odd order can make a sum of weights zero or negative.
 */
public final class ExponentialFeatures {
  /** Largest number of features of a token; dim^order of them would overflow. */
  private static final int MOST_FEATURES = 1 << 24;

  private ExponentialFeatures() {}

  /** Number of features, the sum of dim^p over p up to the order. */
  public static int features(int dim, int order) {
    if (order < 0) {
      throw new IllegalArgumentException("order " + order + " must be at least 0");
    }
    long features = 0;
    long power = 1;
    for (int p = 0; p <= order; p++) {
      features += power;
      power *= dim;
      if (features > MOST_FEATURES) {
        throw new IllegalArgumentException(
            "order "
                + order
                + " of "
                + dim
                + " elements has more than "
                + MOST_FEATURES
                + " features; use a lower order");
      }
    }
    return (int) features;
  }

  /** phi of every token, [tokens, features]. */
  public static Rows of(Rows x, int order) {
    int dim = x.width();
    int features = features(dim, order);
    double[] phi = new double[x.tokens() * features];
    for (int t = 0; t < x.tokens(); t++) {
      int before = t * features;
      phi[before] = 1;
      int size = 1;
      for (int p = 1; p <= order; p++) {
        // Order p is every feature of order p - 1 times every element.
        int at = before + size;
        double scale = 1 / Math.sqrt(Math.sqrt(dim) * p);
        for (int i = 0; i < size; i++) {
          for (int d = 0; d < dim; d++) {
            phi[at + i * dim + d] = phi[before + i] * x.at(t, d) * scale;
          }
        }
        before = at;
        size *= dim;
      }
    }
    return new Rows(phi, features);
  }
}
