package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.recurrent.Rows;

/**
 * The projections of multi-head attention; queries and keys may be of another width than values.
 *
 * @param heads divides the outputs of all of q, k and v
 * @param q [width, heads * keyDim]
 * @param k likewise
 * @param v [width, heads * valueDim]
 * @param o [heads * valueDim, width]
 * @param scale factor of q^T k
 */
public record AttentionWeights(
    int heads, Projection q, Projection k, Projection v, Projection o, double scale) {
  private static final double LEAST_NORM = 1e-12;

  /** Checks that the shapes fit. */
  public AttentionWeights {
    boolean fits =
        heads >= 1
            && q.in() == k.in()
            && q.in() == v.in()
            && q.out() == k.out()
            && v.out() == o.in()
            && o.out() == v.in()
            && q.out() % heads == 0
            && v.out() % heads == 0
            && Double.isFinite(scale);
    if (!fits) {
      throw new IllegalArgumentException(
          "projections q "
              + q.weight()
              + ", k "
              + k.weight()
              + ", v "
              + v.weight()
              + ", o "
              + o.weight()
              + " do not make attention of "
              + heads
              + " heads and scale "
              + scale);
    }
  }

  /** W_Q, W_K, W_V and W_O, all [width, width], with the scale 1 / sqrt(headDim). */
  public static AttentionWeights load(LayerWeights weights, int width, int heads) {
    if (heads < 1 || width % heads != 0) {
      throw new IllegalArgumentException(
          "a width of " + width + " is not divisible by " + heads + " heads");
    }
    return new AttentionWeights(
        heads,
        weights.projection("W_Q", width, width),
        weights.projection("W_K", width, width),
        weights.projection("W_V", width, width),
        weights.projection("W_O", width, width),
        1 / Math.sqrt((double) width / heads));
  }

  /** Elements of a hidden state. */
  public int width() {
    return q.in();
  }

  /** Elements of a query and a key of one head. */
  public int keyDim() {
    return q.out() / heads;
  }

  /** Elements of a value of one head. */
  public int valueDim() {
    return v.out() / heads;
  }

  /** The columns of one head. */
  static Rows head(Rows rows, int head, int heads) {
    int width = rows.width() / heads;
    double[] values = new double[rows.tokens() * width];
    for (int t = 0; t < rows.tokens(); t++) {
      System.arraycopy(rows.values(), t * rows.width() + head * width, values, t * width, width);
    }
    return new Rows(values, width);
  }

  /** Writes the columns of one head. */
  static void setHead(Rows rows, int head, int heads, Rows values) {
    int width = rows.width() / heads;
    for (int t = 0; t < rows.tokens(); t++) {
      System.arraycopy(
          values.values(), t * width, rows.values(), t * rows.width() + head * width, width);
    }
  }

  /** Every head's part of a row at unit length; a part of zeros stays zeros. */
  static Rows unitHeads(Rows rows, int heads) {
    int width = rows.width() / heads;
    double[] y = rows.values().clone();
    for (int from = 0; from < y.length; from += width) {
      double squares = 0;
      for (int i = from; i < from + width; i++) {
        squares += y[i] * y[i];
      }
      double norm = Math.max(Math.sqrt(squares), LEAST_NORM);
      for (int i = from; i < from + width; i++) {
        y[i] /= norm;
      }
    }
    return new Rows(y, rows.width());
  }
}
