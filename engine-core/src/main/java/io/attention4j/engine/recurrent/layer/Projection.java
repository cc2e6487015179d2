package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.recurrent.Rows;

/**
 * A linear map of every token, y = x W + b.
 *
 * @param weight W, [in, out], as the papers write it: a row per input
 * @param bias b, [out], or null for none
 */
public record Projection(Rows weight, double[] bias) {
  /** Checks the bias. */
  public Projection {
    if (bias != null && bias.length != weight.width()) {
      throw new IllegalArgumentException(
          "a bias of " + bias.length + " elements does not fit a weight " + weight);
    }
  }

  /** Without a bias. */
  public Projection(Rows weight) {
    this(weight, null);
  }

  /** Elements that go in. */
  public int in() {
    return weight.tokens();
  }

  /** Elements that come out. */
  public int out() {
    return weight.width();
  }

  /** Every row mapped, [tokens, out]. */
  public Rows apply(Rows x) {
    if (x.width() != in()) {
      throw new IllegalArgumentException("rows " + x + " do not fit a weight " + weight);
    }
    double[] y = new double[x.tokens() * out()];
    for (int t = 0; t < x.tokens(); t++) {
      if (bias != null) {
        System.arraycopy(bias, 0, y, t * out(), out());
      }
      for (int i = 0; i < in(); i++) {
        double value = x.at(t, i);
        // Hand-built weights and codes are mostly zero.
        for (int o = 0; value != 0 && o < out(); o++) {
          y[t * out() + o] += value * weight.at(i, o);
        }
      }
    }
    return new Rows(y, out());
  }
}
