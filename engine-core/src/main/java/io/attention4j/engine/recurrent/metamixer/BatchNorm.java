package io.attention4j.engine.recurrent.metamixer;

import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.recurrent.layer.Projection;

/**
 * Batch normalisation with its running statistics, per channel: gamma (x - mean) / sqrt(variance +
 * epsilon) + beta.
 */
public record BatchNorm(
    double[] gamma, double[] beta, double[] mean, double[] variance, double epsilon) {
  /** Checks the lengths and that nothing divides by zero. */
  public BatchNorm {
    boolean fits =
        beta.length == gamma.length
            && mean.length == gamma.length
            && variance.length == gamma.length;
    for (double v : variance) {
      fits &= v + epsilon > 0;
    }
    if (!fits) {
      throw new IllegalArgumentException(
          "a batch norm needs gamma, beta, mean and variance of one length, and variance + epsilon"
              + " above 0");
    }
  }

  /** Number of channels. */
  public int channels() {
    return gamma.length;
  }

  /** What a channel is multiplied by. */
  double scale(int c) {
    return gamma[c] / Math.sqrt(variance[c] + epsilon);
  }

  /** What is then added. */
  double shift(int c) {
    return beta[c] - mean[c] * scale(c);
  }

  /** Normalises every channel. */
  public FeatureMap apply(FeatureMap x) {
    x.requireChannels(channels());
    double[] y = x.values().clone();
    for (int i = 0; i < y.length; i++) {
      int c = i / x.pixels();
      y[i] = scale(c) * y[i] + shift(c);
    }
    return new FeatureMap(x.channels(), x.height(), x.width(), y);
  }

  /** A convolution followed by this, as one convolution. */
  public DepthwiseConv foldAfter(DepthwiseConv conv) {
    double[] weight = conv.weight().values().clone();
    double[] bias = new double[channels()];
    for (int i = 0; i < weight.length; i++) {
      weight[i] *= scale(i / conv.weight().width());
    }
    for (int c = 0; c < bias.length; c++) {
      bias[c] = scale(c) * conv.bias()[c] + shift(c);
    }
    return new DepthwiseConv(conv.size(), new Rows(weight, conv.weight().width()), bias);
  }

  /** A channel map followed by this, as one map. */
  public Projection foldAfter(Projection map) {
    double[] weight = map.weight().values().clone();
    double[] bias = new double[map.out()];
    for (int i = 0; i < weight.length; i++) {
      weight[i] *= scale(i % map.out());
    }
    for (int c = 0; c < bias.length; c++) {
      bias[c] = shift(c) + (map.bias() == null ? 0 : scale(c) * map.bias()[c]);
    }
    return new Projection(new Rows(weight, map.out()), bias);
  }

  /** This followed by a channel map, as one map. */
  public Projection foldBefore(Projection map) {
    double[] weight = map.weight().values().clone();
    double[] bias = map.bias() == null ? new double[map.out()] : map.bias().clone();
    for (int i = 0; i < weight.length; i++) {
      int in = i / map.out();
      bias[i % map.out()] += shift(in) * weight[i];
      weight[i] *= scale(in);
    }
    return new Projection(new Rows(weight, map.out()), bias);
  }
}
